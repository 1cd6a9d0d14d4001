//! Servers on loopback, each in a directory of its own, gone when the test is.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::project::{skip, wait_until};

/// A server that runs.
pub struct Server {
    /// What `[store] remote` is to be.
    pub url: String,
    /// Where it keeps things.
    pub base: PathBuf,
    /// Variables that give access to it.
    pub env: Vec<(String, String)>,
    /// Lines of `[store]` that it needs.
    pub store: String,
    child: Option<Child>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.base);
    }
}

/// The program that `get` makes ready, or nothing after it was said why.
fn program(what: &str) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/remote/get");
    let got = Command::new(script)
        .arg(what)
        .output()
        .expect("a script starts");
    if got.status.success() {
        let path = String::from_utf8(got.stdout).expect("a path is text");
        return Some(path.lines().last().unwrap_or_default().to_owned());
    }
    let why = String::from_utf8_lossy(&got.stderr);
    assert_eq!(got.status.code(), Some(77), "{why}");
    skip(&format!(
        "remotes on {what}: {}",
        why.lines().last().unwrap_or_default()
    ));
    None
}

fn base() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let base = std::env::temp_dir().join(format!("jalon-server-{}-{number}", std::process::id()));
    let _ = fs::remove_dir_all(&base);
    fs::create_dir_all(&base).expect("a scratch directory");
    base
}

/// A port that nobody listens on.
pub fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn answers(port: u16) -> bool {
    TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_millis(200)).is_ok()
}

impl Server {
    fn start(base: PathBuf, port: u16, command: &mut Command) -> Server {
        let log = fs::File::create(base.join("server.log")).expect("a log");
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the server starts");
        let mut server = Server {
            url: String::new(),
            base,
            env: Vec::new(),
            store: String::new(),
            child: Some(child),
        };
        wait_until("the server answers", || {
            let ended = server
                .child
                .as_mut()
                .and_then(|child| child.try_wait().ok().flatten());
            assert!(
                ended.is_none(),
                "the server ended: {}",
                fs::read_to_string(server.base.join("server.log")).unwrap_or_default()
            );
            answers(port)
        });
        server
    }

    /// Ends it at once, as a power cut would.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// A plain directory.
    pub fn directory() -> Server {
        let base = base();
        Server {
            url: format!("file://{}/cache", base.display()),
            base,
            env: Vec::new(),
            store: String::new(),
            child: None,
        }
    }

    /// nginx with its own dav module: whatever is put is there, right or wrong.
    pub fn nginx() -> Option<Server> {
        let program = program("nginx")?;
        let (base, port) = (base(), port());
        for directory in ["data", "body"] {
            fs::create_dir_all(base.join(directory)).expect("a directory");
        }
        let at = base.display();
        let user = if crate::project::is_root() {
            "user root;"
        } else {
            ""
        };
        let config = format!(
            "daemon off; master_process off; {user} pid {at}/pid; error_log {at}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log {at}/access.log; client_body_temp_path {at}/body; client_max_body_size 0;
  proxy_temp_path {at}/p; fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;
  server {{
    listen 127.0.0.1:{port}; root {at}/data;
    location / {{ dav_methods PUT DELETE; create_full_put_path on; dav_access user:rw; }}
  }}
}}
"
        );
        fs::write(base.join("nginx.conf"), config).expect("a file");
        let mut command = Command::new(program);
        command
            .arg("-c")
            .arg(base.join("nginx.conf"))
            .arg("-p")
            .arg(&base);
        let mut server = Server::start(base, port, &mut command);
        server.url = format!("http://127.0.0.1:{port}/team/churn");
        Some(server)
    }

    /// s3s-fs: S3 on a directory, with checked signatures and conditional writes.
    pub fn s3() -> Option<Server> {
        let program = program("s3")?;
        let (base, port) = (base(), port());
        fs::create_dir_all(base.join("root/bucket")).expect("a bucket");
        let mut command = Command::new(program);
        command.args(["--access-key", "AKEXAMPLE", "--secret-key", "SKEXAMPLE"]);
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        command.arg(base.join("root"));
        let mut server = Server::start(base, port, &mut command);
        server.url = "s3://bucket/team/churn".to_owned();
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        server.env = vec![
            set("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{port}")),
            set("AWS_ACCESS_KEY_ID", "AKEXAMPLE"),
            set("AWS_SECRET_ACCESS_KEY", "SKEXAMPLE"),
            set("AWS_REGION", "us-east-1"),
        ];
        Some(server)
    }

    /// buildbox-casd: the Remote Execution API's cache, which keeps together what belongs together.
    pub fn casd() -> Option<Server> {
        let program = program("casd")?;
        let (base, port) = (base(), port());
        let mut command = Command::new(program);
        command.arg(format!("--bind=127.0.0.1:{port}"));
        command.args(["--quota-high=2G", "--reserved=1M"]);
        command.arg(base.join("cas"));
        fs::create_dir_all(base.join("cas")).expect("a directory");
        let mut server = Server::start(base, port, &mut command);
        server.url = format!("grpc://127.0.0.1:{port}");
        Some(server)
    }

    /// BuildGrid behind TLS of both sides, with tokens: one that may write and one that may only read.
    pub fn buildgrid() -> Option<(Server, Tokens)> {
        let program = program("buildgrid")?;
        let (base, port) = (base(), port());
        let made = certificates(&base, Path::new(&program).parent().expect("a directory"));
        let at = base.display();
        let acl = "main:
  allow:
    - actor: writer
    - actor: reader
      requests: [GetActionResult, FindMissingBlobs, BatchReadBlobs, Read, GetCapabilities, QueryWriteStatus]
";
        fs::write(base.join("acl.yml"), acl).expect("a file");
        fs::write(base.join("secret"), SECRET).expect("a file");
        let config = format!(
            "server:
  - !channel
    address: \"127.0.0.1:{port}\"
    insecure-mode: false
    credentials:
      tls-server-key: {at}/server.key
      tls-server-cert: {at}/server.pem
      tls-client-certs: {at}/ca.pem
authorization:
  method: jwt
  secret: {at}/secret
  algorithm: hs256
  acl-config: {at}/acl.yml
storages:
  - !disk-storage &storage
    path: {at}/cas
caches:
  - !lru-action-cache &actions
    storage: *storage
    max-cached-refs: 4096
    allow-updates: true
    cache-failed-actions: true
instances:
  - name: main
    services:
      - !action-cache
        cache: *actions
      - !cas
        storage: *storage
      - !bytestream
        storage: *storage
"
        );
        fs::write(base.join("config.yml"), config).expect("a file");
        let mut command = Command::new(program);
        command
            .args(["server", "start"])
            .arg(base.join("config.yml"));
        let mut server = Server::start(base, port, &mut command);
        server.url = format!("grpcs://localhost:{port}/main");
        server.store = format!(
            "ca = \"{at}/ca.pem\"\nclient_cert = \"{at}/client.pem\"\nclient_key = \"{at}/client.key\"\n",
            at = server.base.display()
        );
        Some((server, made))
    }
}

/// What tokens are signed with.
const SECRET: &str = "the-secret-of-the-test-is-long-enough-for-hs256";

/// Bearer tokens.
pub struct Tokens {
    pub writer: String,
    pub reader: String,
}

/// Certificates for both sides and tokens, made with the Python packages that BuildGrid brings along.
fn certificates(base: &Path, bin: &Path) -> Tokens {
    let script = r#"
import datetime, ipaddress, jwt, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
base = sys.argv[1]
now = datetime.datetime.now(datetime.timezone.utc)
def name(text): return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
def make(text, issuer, issuer_key, ca):
    key = ec.generate_private_key(ec.SECP256R1())
    b = (x509.CertificateBuilder().subject_name(name(text)).issuer_name(name(issuer)).public_key(key.public_key())
         .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
         .not_valid_after(now + datetime.timedelta(days=30))
         .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
         .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False))
    cert = b.sign(issuer_key or key, hashes.SHA256())
    return key, cert
def write(stem, key, cert):
    open(f"{base}/{stem}.pem", "wb").write(cert.public_bytes(serialization.Encoding.PEM))
    open(f"{base}/{stem}.key", "wb").write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
ca_key, ca = make("ca", "ca", None, True)
write("ca", ca_key, ca)
for stem in ("server", "client"):
    write(stem, *make("localhost", "ca", ca_key, False))
for who in ("writer", "reader"):
    print(jwt.encode({"act": who, "sub": who, "exp": now + datetime.timedelta(hours=2)}, sys.argv[2], algorithm="HS256"))
"#;
    let made = Command::new(bin.join("python"))
        .args(["-c", script])
        .arg(base)
        .arg(SECRET)
        .output()
        .expect("python starts");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let text = String::from_utf8(made.stdout).expect("text");
    let mut lines = text.lines().map(str::to_owned);
    Tokens {
        writer: lines.next().expect("a token"),
        reader: lines.next().expect("a token"),
    }
}
