//! A small disk of a test's own: a tmpfs in a mount namespace that ends with the test.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

/// A mounted tmpfs. Its namespace lives as long as the shell in it.
#[derive(Debug)]
pub(crate) struct Disk {
    shell: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    mount: TempDir,
}

impl Disk {
    /// A disk with these options of tmpfs (`size=4m`), or why there can be none.
    pub(crate) fn new(options: &str) -> Result<Self, String> {
        let mount = super::folder();
        let is_root = || {
            let id = Command::new("id").arg("-u").output().ok()?;
            Some(id.stdout.starts_with(b"0\n"))
        };
        let mut unshare = Command::new("unshare");
        if is_root() != Some(true) {
            unshare.args(["--user", "--map-root-user"]);
        }
        let mut shell = unshare
            .args(["--mount", "sh"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let to = shell.stdin.take().expect("piped");
        let from = BufReader::new(shell.stdout.take().expect("piped"));
        let mut disk = Self {
            shell,
            to,
            from,
            mount,
        };
        let at = disk.mount.path().display().to_string();
        disk.tell(&format!("mount -t tmpfs -o {options} tmpfs '{at}'"))?;
        Ok(disk)
    }

    /// Mounts it again with other options.
    pub(crate) fn remount(&mut self, options: &str) {
        let at = self.mount.path().display().to_string();
        let told = self.tell(&format!("mount -o remount,{options} '{at}'"));
        told.expect("what was mounted can be mounted again");
    }

    /// Its root, as the rest of the world can reach it.
    pub(crate) fn root(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.shell.id()));
        root.join(self.mount.path().strip_prefix("/").expect("absolute"))
    }

    /// Leaves so many bytes free, or all of them.
    pub(crate) fn leave_free(&self, bytes: Option<u64>) {
        let filler = self.root().join("filler");
        drop(std::fs::remove_file(&filler));
        let Some(bytes) = bytes else { return };
        let mut file = File::create(&filler).expect("an inode is free");
        let page = [0_u8; 4096];
        while file.write_all(&page).is_ok() {}
        let length = file.metadata().expect("it is open").len();
        file.set_len(length.saturating_sub(bytes)).expect("shorter");
    }

    fn tell(&mut self, command: &str) -> Result<(), String> {
        let lost = |error: std::io::Error| format!("`{command}`: {error}");
        writeln!(self.to, "{command} 2>&1; echo \"= $?\"").map_err(lost)?;
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if self.from.read_line(&mut line).map_err(lost)? == 0 {
                return Err(format!("`{command}`: the shell ended: {said}"));
            }
            match line.strip_prefix("= ").map(str::trim) {
                Some("0") => return Ok(()),
                Some(_) => return Err(format!("`{command}`: {said}")),
                None => said.push_str(&line),
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The mount goes with the last process of its namespace.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Whether a program can be had (and does what it must, by these arguments).
pub(crate) fn works(program: &str, args: &[&str]) -> Result<(), String> {
    let mut command = Command::new(program);
    let output = command
        .args(args)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("{program} {}: {said}", args.join(" ")))
    }
}

/// The words before a program in which this system call fails so (`error=EIO:when=2+`); or why that can't
/// be had here.
pub(crate) fn strace(call: &str, fault: &str) -> Result<Vec<String>, String> {
    const QUIETLY: [&str; 4] = ["-f", "-qq", "-o", "/dev/null"];
    let plan = [
        "-e".to_owned(),
        format!("trace={call}"),
        "-e".to_owned(),
        format!("inject={call}:{fault}"),
    ];
    works(
        "strace",
        &[&QUIETLY[..], &["-e", "trace=fsync", "true"]].concat(),
    )?;
    let words = ["strace"].into_iter().chain(QUIETLY);
    Ok(words.map(str::to_owned).chain(plan).collect())
}
