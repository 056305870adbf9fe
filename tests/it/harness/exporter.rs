//! The real program, as a process of its own with an environment of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use airudder_export::sandbox::{SANDBOX_KEY, SANDBOX_SECRET};
use serde_json::Value;

/// Nothing a test starts may take longer.
const TOO_LONG: Duration = Duration::from_mins(5);

/// Settings that keep tests quick: no pace to speak of, and short waits between tries.
const QUICK: &str = r#"
[api]
rate = "2000/s"
burst = 100
base_backoff = "2ms"
max_backoff = "20ms"
"#;

/// The program with settings.
#[derive(Clone, Debug)]
pub(crate) struct Exporter {
    environment: BTreeMap<String, String>,
    folder: PathBuf,
    /// What starts it, if it is not started as it is.
    wrapper: Vec<String>,
}

impl Exporter {
    /// One that works on `<folder>/lake` with its job file beside it.
    pub(crate) fn new(folder: &Path) -> Self {
        let job = folder.join("quick.toml");
        if !job.exists() {
            fs::write(&job, QUICK).expect("the folder can be written");
        }
        let exporter = Self {
            environment: BTreeMap::new(),
            folder: folder.to_owned(),
            wrapper: Vec::new(),
        };
        exporter
            .set("AIRUDDER_JOB", job.to_str().expect("Unicode"))
            .lake("lake")
            .set("AIRUDDER_SOURCE_TIMEZONE", "Asia/Jakarta")
    }

    /// With this environment variable.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Without this environment variable.
    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// With these lines in its job file, and none else.
    pub(crate) fn job(self, text: &str) -> Self {
        let path = self.folder.join(format!("job-{}.toml", fastrand::u64(..)));
        fs::write(&path, text).expect("the folder can be written");
        self.set("AIRUDDER_JOB", path.to_str().expect("Unicode"))
    }

    /// With its lake there.
    pub(crate) fn lake_at(self, dest: &Path) -> Self {
        self.set("AIRUDDER_DEST", dest.to_str().expect("Unicode"))
    }

    /// With another lake in the same folder.
    pub(crate) fn lake(self, name: &str) -> Self {
        let dest = self.folder.join(name);
        self.set("AIRUDDER_DEST", dest.to_str().expect("Unicode"))
    }

    /// Asking this API with the sandbox's key, at the time of the harness's vendors unless another
    /// is set: a clock that is ahead of the vendor's is refused.
    pub(crate) fn against(mut self, url: impl AsRef<str>) -> Self {
        let as_of = self.environment.entry("AIRUDDER_AS_OF".to_owned());
        as_of.or_insert_with(|| super::NOW.to_owned());
        self.set("AIRUDDER_BASE_URL", url.as_ref())
            .set("AIRUDDER_APP_KEY", SANDBOX_KEY)
            .set("AIRUDDER_APP_SECRET", SANDBOX_SECRET)
    }

    /// Started by another program, which takes its command line as its last arguments.
    pub(crate) fn through(&self, wrapper: &[&str]) -> Self {
        Self {
            wrapper: wrapper.iter().map(|&word| word.to_owned()).collect(),
            ..self.clone()
        }
    }

    /// Killed at a point of the commit protocol (`commit.durable`, `publish.file_moved@2`), or held
    /// there (`hold:…`, or `stop:…` until it is told to go on).
    pub(crate) fn dying_at(&self, point: &str) -> Self {
        self.clone().set("AIRUDDER_FAILPOINT", point)
    }

    /// Deciding as if it were this time.
    pub(crate) fn at(self, time: &str) -> Self {
        self.set("AIRUDDER_AS_OF", time)
    }

    /// Where its lake is.
    pub(crate) fn dest(&self) -> PathBuf {
        PathBuf::from(&self.environment["AIRUDDER_DEST"])
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.start(args).wait()
    }

    /// Runs it to its end; also gives the most memory it took, in bytes, and fails the test if it
    /// lived too short to be measured.
    pub(crate) fn run_measured(&self, args: &[&str]) -> (Ended, u64) {
        let mut running = self.start(args);
        let mut peak = 0;
        while running.is_running() {
            peak = peak.max(running.peak_memory());
            thread::sleep(Duration::from_millis(1));
        }
        assert!(peak > 0, "`{}` was never seen running", running.line);
        (running.wait(), peak)
    }

    /// Runs it with this on its standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &str) -> Ended {
        let mut running = self.start_piped(args, Stdio::piped());
        let mut stdin = running.child.stdin.take().expect("piped");
        stdin.write_all(input.as_bytes()).expect("it listens");
        drop(stdin);
        running.wait()
    }

    /// Runs it with its standard output going to this file, which must be there.
    pub(crate) fn run_into(&self, stdout: &str, args: &[&str]) -> Ended {
        let mut running = self.spawn(args, Stdio::null(), |_| {
            fs::File::options().write(true).open(stdout)
        });
        running.stdout = PathBuf::new();
        running.wait()
    }

    /// Runs it with a standard error that nobody reads any more; gives its exit code.
    pub(crate) fn run_unheard(&self, args: &[&str]) -> Option<i32> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_airudder-export"))
            .args(args)
            .current_dir(&self.folder)
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program is built");
        drop(child.stderr.take());
        child.wait().expect("it is our child").code()
    }

    /// Starts it.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.start_piped(args, Stdio::null())
    }

    fn start_piped(&self, args: &[&str], stdin: Stdio) -> Running {
        self.spawn(args, stdin, |path| fs::File::create(path))
    }

    fn spawn(
        &self,
        args: &[&str],
        stdin: Stdio,
        stdout_file: impl Fn(&Path) -> std::io::Result<fs::File>,
    ) -> Running {
        let stem = self.folder.join(format!("out-{}", fastrand::u64(..)));
        let (stdout, stderr) = (stem.with_extension("out"), stem.with_extension("err"));
        let create = |path: &Path| fs::File::create(path).expect("the folder can be written");
        let program = env!("CARGO_BIN_EXE_airudder-export");
        let line: Vec<&str> = self.wrapper.iter().map(String::as_str).collect();
        let line = [&line[..], &[program], args].concat();
        let child = Command::new(line[0])
            .args(&line[1..])
            .current_dir(&self.folder)
            .env_clear()
            .envs(&self.environment)
            .stdin(stdin)
            .stdout(stdout_file(&stdout).expect("it can be written"))
            .stderr(create(&stderr))
            .spawn()
            .expect("the program is built");
        Running {
            child,
            line: args.join(" "),
            stdout,
            stderr,
        }
    }
}

/// The program while it runs. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    line: String,
    /// Empty if it goes elsewhere.
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by name (`INT`, `TERM`, `KILL`).
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .stderr(Stdio::null())
            .status()
            .expect("there is a kill on every Unix");
        // It may have ended just now.
        let _ = status;
    }

    /// What it said on standard error so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Waits until it is held at a point it was told to be held at: no if it ended instead.
    pub(crate) fn is_held(&mut self) -> bool {
        let started = Instant::now();
        while self.is_running() {
            if self.said().contains("held at ") {
                return true;
            }
            assert!(started.elapsed() < TOO_LONG, "`{}` does nothing", self.line);
            thread::sleep(Duration::from_millis(2));
        }
        false
    }

    /// Lets it continue from a point where it was told to stop.
    pub(crate) fn go_on(&mut self) {
        let path = format!("/proc/{}/stat", self.child.id());
        let started = Instant::now();
        // It says that it is there just before it stops.
        while !fs::read_to_string(&path).is_ok_and(|stat| stat.contains(") T ")) {
            assert!(
                started.elapsed() < TOO_LONG,
                "`{}` does not stop",
                self.line
            );
            thread::sleep(Duration::from_millis(2));
        }
        self.signal("CONT");
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Its most memory so far, in bytes; zero once it has ended.
    fn peak_memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kilobytes.unwrap_or_default() * 1024
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(
                started.elapsed() < TOO_LONG,
                "`{}` does not end: {}",
                self.line,
                fs::read_to_string(&self.stderr).unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(2));
        };
        let text = |path: &Path| {
            let bytes = if path.as_os_str().is_empty() {
                Vec::new()
            } else {
                fs::read(path).expect("it was made")
            };
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Ended {
            code: status.code(),
            stdout: text(&self.stdout),
            stderr: text(&self.stderr),
            line: std::mem::take(&mut self.line),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already in every test that passes.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How the program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    line: String,
}

impl Ended {
    /// Fails the test unless it ended with this code.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "`{}` said\n{}\n{}",
            self.line,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Fails the test unless all went well.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        self.with(0)
    }

    /// Fails the test unless it said all of this on standard error.
    #[track_caller]
    pub(crate) fn saying(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "{part:?} is missing in what `{}` said: {}",
                self.line,
                self.stderr
            );
        }
        self
    }

    /// Its standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {}\n{}", self.stdout, self.stderr))
    }
}
