//! The floor: as little program as writes the same four tables, to measure the exporter against.
//!
//! It shares no code with the exporter. It receives answers over keep-alive connections, parses them
//! while they arrive straight into columns by date, and encodes a row group per table and date in
//! one go. What it leaves out is what the exporter is for: `extra_fields`, checks, checksums,
//! retries, commits, syncing.
//!
//! ```text
//! floor --url http://127.0.0.1:PORT --data FOLDER --out FOLDER --stage receive|parse|build|write --threads N
//! ```

mod columns;
mod http;
mod parse;
mod tables;
mod write;

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Connection;
use parse::{Entry, Reader, Step};
use tables::Tables;
use write::Writer;

/// How far an answer is taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Receive,
    Parse,
    Build,
    Write,
}

/// What is read from a socket at once.
const READ_BYTES: usize = 1 << 18;
/// Rows one thread gathers before they are queued.
const LOCAL_BYTES: usize = 8 << 20;

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1).cloned()
    };
    // `cargo bench` starts every bench; this one wants a server.
    let (Some(url), Some(data), Some(out)) = (option("--url"), option("--data"), option("--out"))
    else {
        return Ok(());
    };
    let stage = match option("--stage").as_deref() {
        Some("receive") => Stage::Receive,
        Some("parse") => Stage::Parse,
        Some("build") => Stage::Build,
        _ => Stage::Write,
    };
    let threads: usize = option("--threads")
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    let index = std::fs::read_to_string(PathBuf::from(data).join("index.tsv"))?;
    let ids: Vec<&str> = index
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    let address = url.trim_start_matches("http://");
    let next = AtomicUsize::new(0);
    let writer = Writer::new(PathBuf::from(out))?;
    let left = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let work = || -> io::Result<()> {
            let tables = pull((address, &ids, &next), stage, &writer)?;
            left.lock().expect("nobody panicked").push(tables);
            Ok(())
        };
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut result = work();
        for other in others {
            result = result.and(other.join().expect("nobody panicked"));
        }
        result
    })?;
    if stage == Stage::Write {
        for mut tables in left.into_inner().expect("nobody panicked") {
            writer.queue(tables.take())?;
        }
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads)
                .map(|_| scope.spawn(|| writer.drain()))
                .collect();
            let mut result = writer.drain();
            for other in others {
                result = result.and(other.join().expect("nobody panicked"));
            }
            result
        })?;
        writer.close()?;
    }
    Ok(())
}

/// One thread: asks for tasks as long as there are any.
fn pull(
    (address, ids, next): (&str, &[&str], &AtomicUsize),
    stage: Stage,
    writer: &Writer,
) -> io::Result<Tables> {
    let mut connection = Connection::open(address)?;
    let mut tables = Tables::default();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) else {
            return Ok(tables);
        };
        let length = connection.ask(id)?;
        let mut body = (&mut connection).take(length);
        if stage == Stage::Receive {
            while body.read(&mut buffer)? > 0 {}
            continue;
        }
        answer(&mut body, (id, &mut buffer), stage, &mut tables)?;
        if stage == Stage::Write && tables.bytes() > LOCAL_BYTES {
            writer.queue(tables.take_largest(LOCAL_BYTES / 2))?;
        } else if stage == Stage::Build && tables.bytes() > LOCAL_BYTES {
            tables.take_largest(LOCAL_BYTES / 2);
        }
    }
}

/// Reads one answer, entry by entry, while it arrives.
fn answer(
    body: &mut impl Read,
    (id, buffer): (&str, &mut Vec<u8>),
    stage: Stage,
    tables: &mut Tables,
) -> io::Result<()> {
    let mut reader = Reader::default();
    let (mut start, mut end) = (0, 0);
    let mut index = 0;
    let mut counts = [0, 0];
    tables.begin(id);
    loop {
        let mut entry = Entry::new();
        loop {
            match reader.step(&buffer[start..end], &mut entry) {
                Step::Entry(used) => {
                    if stage >= Stage::Build {
                        tables.call(&entry, (index, &reader.own));
                    }
                    counts[0] += entry.redials.len() as u64;
                    counts[1] += entry.turns.len() as u64;
                    index += 1;
                    start += used;
                }
                Step::Other(used) => start += used,
                Step::More => break,
                Step::Done => {
                    if stage >= Stage::Build {
                        tables.task(&reader.own, (index, counts));
                    }
                    io::copy(body, &mut io::sink())?;
                    return Ok(());
                }
                Step::Broken => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        drop(entry);
        buffer.copy_within(start..end, 0);
        end -= start;
        start = 0;
        if end == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        let read = body.read(&mut buffer[end..])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        end += read;
    }
}
