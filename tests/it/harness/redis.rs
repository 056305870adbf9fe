//! A real Redis server of the test's own.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server on loopback with a password. Stopped when dropped.
#[derive(Debug)]
pub(crate) struct Redis {
    server: Option<Child>,
    port: u16,
    folder: TempDir,
}

/// Its password, to be looked for where it must not be.
pub(crate) const PASSWORD: &str = "marked-redis-password";

impl Redis {
    /// Starts one, or says why there is none.
    pub(crate) fn start() -> Result<Self, String> {
        let free = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let port = free.local_addr().map_err(|error| error.to_string())?.port();
        drop(free);
        let mut redis = Self {
            server: None,
            port,
            folder: super::folder(),
        };
        redis.begin()?;
        Ok(redis)
    }

    /// Starts it again, having forgotten everything.
    pub(crate) fn begin(&mut self) -> Result<(), String> {
        let server = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args([
                "--requirepass",
                PASSWORD,
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server: {error}"))?;
        self.server = Some(server);
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if started.elapsed() > Duration::from_secs(10) {
                return Err("redis-server does not listen".to_owned());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Ends it.
    pub(crate) fn end(&mut self) {
        if let Some(mut server) = self.server.take() {
            // It has nothing to save.
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Its answer to a command.
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let asked = Command::new("redis-cli")
            .args([
                "-p",
                &self.port.to_string(),
                "-n",
                "1",
                "--no-auth-warning",
                "-a",
                PASSWORD,
            ])
            .args(words)
            .output()
            .expect("redis-cli is where redis-server is");
        String::from_utf8_lossy(&asked.stdout).trim().to_owned()
    }

    /// Where it is.
    pub(crate) fn address(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}/1", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.end();
    }
}
