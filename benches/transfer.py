"""Bytes to and from a plain HTTP cache, beside curl on the same server: one large file, and 10,000 small ones.

    cargo build --release && python3 benches/transfer.py --jalon target/release/jalon

The server is nginx on loopback (`tests/real/remote/get nginx`). Up: `jalon cache push` into an empty cache, against `curl -T` of the same
files (`--parallel` where there are many). Down: `jalon cache pull` into an empty store, against curl getting the same objects into files. jalon
hashes all that it sends and all that it gets, asks before it sends, and reads the small files out of its packs; curl does none of that. The
large file cannot be packed; the small ones are not worth it. Each starts its processes anew; the two take turns; medians with their range.
"""

import argparse
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

DEFINITION = """
[store]
remote = "{url}"
[node.make]
cmd = ["python3", "make.py", "{{{{out.made}}}}"]
out = {{ made = "made{slash}" }}
"""
LARGE = """
import os, sys
with open(sys.argv[1], "wb") as file:
    for _ in range({megabytes}):
        file.write(os.urandom(1 << 20))
"""
SMALL = """
import os, sys
os.makedirs(sys.argv[1])
for n in range({count}):
    with open(f"{{sys.argv[1]}}/{{n}}", "wb") as file:
        file.write(os.urandom(1000))
"""


class Nginx:
    def __init__(self, program, base):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.base = base
        self.data = base / "data"
        (base / "body").mkdir(parents=True)
        self.data.mkdir()
        user = "user root;" if os.geteuid() == 0 else ""
        (base / "nginx.conf").write_text(
            f"""daemon off; {user} worker_processes 1; pid {base}/pid; error_log {base}/error.log;
events {{ worker_connections 512; }}
http {{ access_log off; sendfile on; client_body_temp_path {base}/body; client_max_body_size 0; keepalive_requests 1000000;
  proxy_temp_path {base}/p; fastcgi_temp_path {base}/f; uwsgi_temp_path {base}/u; scgi_temp_path {base}/s;
  server {{ listen 127.0.0.1:{self.port}; root {self.data};
    location / {{ dav_methods PUT DELETE; create_full_put_path on; }} }} }}
"""
        )
        self.process = subprocess.Popen([program, "-c", base / "nginx.conf", "-p", base])
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                time.sleep(0.05)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def empty(self):
        for child in self.data.iterdir():
            shutil.rmtree(child) if child.is_dir() else child.unlink()


def timed(command, cwd):
    began = time.perf_counter()
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{command}: {done.stdout}{done.stderr}")
    return seconds


def project(directory, url, script, slash):
    directory.mkdir()
    (directory / "jalon.toml").write_text(DEFINITION.format(url=url, slash=slash))
    (directory / "make.py").write_text(script)
    return directory


def case(name, script, slash, jalon, server, base, rounds):
    remote = f"{server.url}/cache"
    maker = project(base / f"{name}-maker", remote, script, slash)
    timed([jalon, "run", "--offline", "-q"], maker)
    made = maker / "made"
    files = sorted(made.iterdir()) if made.is_dir() else [made]
    # What curl is told, once, in files: a command line would be too long.
    config = base / f"{name}.curl"
    times = {"up": ([], []), "down": ([], [])}
    for turn in range(rounds):
        server.empty()
        (server.data / "plain").mkdir()
        ours = timed([jalon, "cache", "push"], maker)
        config.write_text("".join(f'upload-file = "{file}"\nurl = "{server.url}/plain/{file.name}"\n' for file in files))
        theirs = timed(["curl", "-sS", "--fail", "--parallel", "--parallel-max", "32", "-K", config], base)
        times["up"][0].append(ours)
        times["up"][1].append(theirs)
        reader = project(base / f"{name}-reader-{turn}", remote, script, slash)
        ours = timed([jalon, "cache", "pull"], reader)
        got = base / f"{name}-got-{turn}"
        got.mkdir()
        config.write_text("".join(f'url = "{server.url}/plain/{file.name}"\noutput = "{got}/{file.name}"\n' for file in files))
        theirs = timed(["curl", "-sS", "--fail", "--parallel", "--parallel-max", "32", "-K", config], base)
        times["down"][0].append(ours)
        times["down"][1].append(theirs)
        shutil.rmtree(reader)
        shutil.rmtree(got)
    size = sum(file.stat().st_size for file in files)
    return {"case": name, "bytes": size, "files": len(files), "times": times}


def show(found):
    for way, (ours, theirs) in found["times"].items():
        ratios = [a / b for a, b in zip(ours, theirs)]
        mine, peer = statistics.median(ours), statistics.median(theirs)
        speed = found["bytes"] / mine / 1e6
        print(
            f"{found['case']:<6} {way:<5} jalon {mine:6.2f} s ({speed:7.1f} MB/s)  curl {peer:6.2f} s  "
            f"{statistics.median(ratios):5.2f}x ({min(ratios):.2f}-{max(ratios):.2f})"
        )


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--jalon", default=root / "target/release/jalon", type=pathlib.Path)
    options.add_argument("--megabytes", default=1024, type=int)
    options.add_argument("--count", default=10_000, type=int)
    options.add_argument("--rounds", default=3, type=int)
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    jalon = asked.jalon.resolve()
    nginx = subprocess.run([root / "tests/real/remote/get", "nginx"], check=True, capture_output=True, text=True)
    with tempfile.TemporaryDirectory(prefix="jalon-transfer-") as directory:
        base = pathlib.Path(directory)
        server = Nginx(nginx.stdout.split()[-1], base / "nginx")
        try:
            large = case("large", LARGE.format(megabytes=asked.megabytes), "", jalon, server, base, asked.rounds)
            small = case("small", SMALL.format(count=asked.count), "/", jalon, server, base, asked.rounds)
        finally:
            server.process.terminate()
            server.process.wait()
    if asked.json:
        print(json.dumps([large, small]))
    else:
        show(large)
        show(small)


main()
