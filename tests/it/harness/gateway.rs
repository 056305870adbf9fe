//! What stands between a company's machines and the internet: a proxy that takes CONNECT, and a
//! server with a certificate of a private CA before a vendor that speaks plain HTTP.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::project;

/// The name in the server's certificate. It resolves nowhere: only a proxy leads to it.
pub(crate) const HOST: &str = "api.airudder.test";

/// The private CA's certificate. Its key does not exist any more; it ends in a hundred years.
pub(crate) fn ca_file() -> PathBuf {
    project("tests/fixtures/tls/ca.pem")
}

/// A server with TLS before one without. Its threads end with the test process.
pub(crate) struct TlsServer {
    address: SocketAddr,
}

impl TlsServer {
    /// One that passes every request on to this address (`http://127.0.0.1:8787/`).
    pub(crate) fn before(url: &str) -> Self {
        let behind = url
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        let file = |name: &str| project("tests/fixtures/tls").join(name);
        let chain = CertificateDer::pem_file_iter(file("server.pem")).expect("it ships");
        let chain = chain.map(|one| one.expect("a certificate")).collect();
        let key = PrivateKeyDer::from_pem_file(file("server.key")).expect("it ships");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("they belong together");
        let config = Arc::new(config);
        let address = listen(move |client| {
            let tls = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            let mut stream = BufReader::new(StreamOwned::new(tls, client));
            let request = request_of(&mut stream)?;
            let mut answer = Vec::new();
            let mut vendor = TcpStream::connect(&behind)?;
            vendor.write_all(&request)?;
            vendor.read_to_end(&mut answer)?;
            let mut stream = stream.into_inner();
            stream.write_all(&answer)?;
            stream.conn.send_close_notify();
            stream.flush()
        });
        Self { address }
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

/// A proxy that takes CONNECT, and leads all of it to one server.
pub(crate) struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Proxy {
    /// One that leads to this server, whatever it is asked for.
    pub(crate) fn to(server: &TlsServer) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, behind) = (Arc::clone(&asked), server.address);
        let address = listen(move |client| {
            let mut reader = BufReader::new(client.try_clone()?);
            let head = head_of(&mut reader)?;
            log.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(head);
            let server = TcpStream::connect(behind)?;
            (&client).write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
            let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
            let back = thread::spawn(move || copy(&mut from, &mut to));
            copy(&mut reader, &mut &server);
            let _ = server.shutdown(std::net::Shutdown::Write);
            let _ = back.join();
            Ok(())
        });
        Self { address, asked }
    }

    /// Its address, with a user and a password if wanted (`user:password@`).
    pub(crate) fn url(&self, user: &str) -> String {
        format!("http://{user}{}", self.address)
    }

    /// The head lines of each request so far.
    pub(crate) fn asked(&self) -> MutexGuard<'_, Vec<Vec<String>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn copy(from: &mut impl Read, to: &mut impl Write) {
    // Either side may hang up.
    drop(io::copy(from, to));
}

fn listen(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let (address, serve) = (listener.local_addr().expect("it listens"), Arc::new(serve));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            // A client that hangs up, or does not trust us, is no matter of ours.
            thread::spawn(move || drop(serve(client)));
        }
    });
    address
}

/// The lines before the empty one.
fn head_of(reader: &mut impl io::BufRead) -> io::Result<Vec<String>> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => return Ok(head),
            line => head.push(line.to_owned()),
        }
    }
}

/// A request whose connection is closed after it.
fn request_of(reader: &mut impl io::BufRead) -> io::Result<Vec<u8>> {
    let mut head = head_of(reader)?;
    let length = head.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    head.push("connection: close".to_owned());
    let mut request = (head.join("\r\n") + "\r\n\r\n").into_bytes();
    request.extend(body);
    Ok(request)
}
