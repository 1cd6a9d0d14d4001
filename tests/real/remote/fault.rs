//! A proxy before an HTTP server that does what it should not.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// What it should.
    Pass,
    /// It takes the connection and says nothing.
    Hang,
    /// It answers everything so.
    Status(u16),
    /// It answers PUT so.
    StatusOfPut(u16),
    /// Of the bytes of each blob it sends the first half, and closes.
    Cut,
    /// The same, but only the first time.
    CutOnce,
    /// It takes the half of a blob that is put, and closes.
    CutPut,
    /// It does not say how long its answers are.
    Unsaid,
    /// So many milliseconds before each answer.
    Late(u64),
    /// It says that the first so many requests came at a bad time.
    Busy(u32),
}

/// The proxy.
pub struct Fault {
    /// What `[store] remote` is to be.
    pub url: String,
    mode: Arc<Mutex<Mode>>,
    asked: Arc<AtomicU64>,
    cuts: Arc<AtomicU32>,
    port: u16,
}

impl Fault {
    /// Before the server at this address.
    pub fn before(url: &str, mode: Mode) -> Fault {
        let rest = url.strip_prefix("http://").expect("an HTTP server");
        let (host, path) = rest.split_once('/').expect("a path");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let fault = Fault {
            url: format!("http://127.0.0.1:{port}/{path}"),
            mode: Arc::new(Mutex::new(mode)),
            asked: Arc::default(),
            cuts: Arc::default(),
            port,
        };
        let (mode, asked, cuts) = (fault.mode.clone(), fault.asked.clone(), fault.cuts.clone());
        let host = host.to_owned();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (mode, asked, cuts) = (mode.clone(), asked.clone(), cuts.clone());
                let host = host.clone();
                std::thread::spawn(move || {
                    let mode = || *mode.lock().expect("a mode");
                    // Whoever went away needs no answer.
                    let _ = serve(client, &host, &mode, &asked, &cuts);
                });
            }
        });
        fault
    }

    /// From now on it does this.
    pub fn set(&self, mode: Mode) {
        *self.mode.lock().expect("a mode") = mode;
    }

    /// Requests so far.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Transfers that were cut.
    pub fn cuts(&self) -> u32 {
        self.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        self.set(Mode::Hang);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// A message's head, and what of its body came with it.
fn head(stream: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece[..read]);
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), body)));
        }
    }
}

fn length(head: &str) -> usize {
    head.lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().ok())?
        })
        .unwrap_or(0)
}

fn answer(client: &mut TcpStream, status: u16) -> std::io::Result<()> {
    write!(
        client,
        "HTTP/1.1 {status} As Told\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

fn serve(
    mut client: TcpStream,
    host: &str,
    mode: &dyn Fn() -> Mode,
    asked: &AtomicU64,
    cuts: &AtomicU32,
) -> std::io::Result<()> {
    let Some((head_text, mut body)) = head(&mut client)? else {
        return Ok(());
    };
    let number = asked.fetch_add(1, Ordering::SeqCst);
    let is_put = head_text.starts_with("PUT ");
    let is_blob = head_text
        .lines()
        .next()
        .is_some_and(|line| line.contains("/cas/"));
    let is_large = length(&head_text) > 100_000;
    if mode() == Mode::Hang {
        std::thread::sleep(Duration::from_secs(300));
        return Ok(());
    }
    if mode() == Mode::CutPut && is_put && is_blob && is_large {
        cuts.fetch_add(1, Ordering::SeqCst);
        return client.shutdown(Shutdown::Both);
    }
    let mut piece = [0; 65536];
    while body.len() < length(&head_text) {
        let read = client.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        body.extend_from_slice(&piece[..read]);
    }
    match mode() {
        Mode::Status(status) => return answer(&mut client, status),
        Mode::StatusOfPut(status) if is_put => return answer(&mut client, status),
        Mode::Busy(most) if number < u64::from(most) => return answer(&mut client, 503),
        Mode::Late(time) => std::thread::sleep(Duration::from_millis(time)),
        _ => {}
    }
    let mut server = TcpStream::connect(host)?;
    let closing = head_text.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    server.write_all(closing.as_bytes())?;
    server.write_all(&body)?;
    let Some((head_text, mut rest)) = head(&mut server)? else {
        return Ok(());
    };
    if !head_text.starts_with("HTTP/1.1 304") && !is_put {
        server.read_to_end(&mut rest)?;
    }
    let cut = match mode() {
        Mode::Cut => is_blob && !is_put && rest.len() > 100_000,
        Mode::CutOnce => {
            is_blob && !is_put && rest.len() > 100_000 && cuts.load(Ordering::SeqCst) == 0
        }
        _ => false,
    };
    if cut {
        cuts.fetch_add(1, Ordering::SeqCst);
        rest.truncate(rest.len() / 2);
    }
    let said = match mode() {
        Mode::Unsaid if !is_put => {
            let is_length = |line: &str| line.to_ascii_lowercase().starts_with("content-length:");
            let lines = head_text.split_inclusive("\r\n");
            lines.filter(|line| !is_length(line)).collect()
        }
        _ => head_text,
    };
    client.write_all(said.as_bytes())?;
    client.write_all(&rest)?;
    client.shutdown(Shutdown::Both)
}
