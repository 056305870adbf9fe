//! A server of the four calls that the program makes, by the API profile's defaults.
//!
//! It shares the cores with the program that is measured, so it takes as little of them as it can:
//! bodies go from the file to the socket in the kernel, which no HTTP library does.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, IoSlice, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Answers up to this long are kept in memory, if all together are not much.
const SMALL: u64 = 256 << 10;
const TOKEN: &str = "bench+token/1";

struct Listed {
    id: String,
    start: String,
    end: String,
    offset: u64,
    length: u64,
    /// The id in the answer as it lies in the file.
    made_as: String,
}

struct Set {
    tasks: HashMap<String, (String, usize)>,
    workflows: BTreeMap<String, Vec<Listed>>,
    answers: std::path::PathBuf,
    small: Vec<u8>,
    latency: Duration,
}

/// Serves until it is killed. The port goes to standard output. Each task is listed so many `times`,
/// under ids of their own: more tasks than the disk has room for answers.
#[expect(clippy::print_stdout, reason = "the caller reads the port there")]
pub(crate) fn serve(folder: &Path, latency_ms: u64, times: u64) -> io::Result<()> {
    let answers = folder.join("answers.bin");
    let mut set = Set {
        tasks: HashMap::new(),
        workflows: BTreeMap::new(),
        small: Vec::new(),
        latency: Duration::from_millis(latency_ms),
        answers,
    };
    for line in fs::read_to_string(folder.join("index.tsv"))?.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let number = |at: usize| fields[at].parse().unwrap_or(0);
        let made_as = fields[0];
        let tasks = set.workflows.entry(fields[1].to_owned()).or_default();
        for copy in 0..times {
            let id = match copy {
                0 => made_as.to_owned(),
                _ => format!("{copy:08x}{}", &made_as[8..]),
            };
            set.tasks
                .insert(id.clone(), (fields[1].to_owned(), tasks.len()));
            tasks.push(Listed {
                id,
                start: fields[2].to_owned(),
                end: fields[3].to_owned(),
                offset: number(4),
                length: number(5),
                made_as: made_as.to_owned(),
            });
        }
    }
    if fs::metadata(&set.answers)?.len() < 1 << 27 {
        set.small = fs::read(&set.answers)?;
    }
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("{}", listener.local_addr()?.port());
    io::stdout().flush()?;
    let set = Arc::new(set);
    for stream in listener.incoming() {
        let (stream, set) = (stream?, Arc::clone(&set));
        std::thread::spawn(move || {
            // The client went away: nothing to tell anybody.
            let _ = connection(&stream, &set);
        });
    }
    Ok(())
}

fn connection(stream: &TcpStream, set: &Set) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut answers = File::open(&set.answers)?;
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let target = line.split(' ').nth(1).unwrap_or("").to_owned();
        let (mut length, mut signed_in) = (0, false);
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let header = line.trim_end();
            if header.is_empty() {
                break;
            }
            let Some((name, value)) = header.split_once(':') else {
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or(0);
            } else if name.eq_ignore_ascii_case("authorization") {
                signed_in = value.trim().strip_prefix("Token ") == Some(TOKEN);
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8_lossy(&body);
        let path = target.split('?').next().unwrap_or("");
        if path == "/service/cloud/auth" {
            let answer = format!(r#"{{"data":{{"token":"{TOKEN}"}},"status":"OK","code":200}}"#);
            send(stream, "200 OK", answer.as_bytes())?;
        } else if !signed_in {
            send(
                stream,
                "401 Unauthorized",
                br#"{"data":null,"status":"sign in","code":401}"#,
            )?;
        } else if path == "/service/cloud/workflow/taskdetail" {
            detail(stream, &mut answers, (set, field(&body, "task_id")))?;
        } else if path == "/service/cloud/workflow/list" {
            send(stream, "200 OK", workflows(set, &target).as_bytes())?;
        } else if path == "/service/cloud/workflow/tasklist" {
            send(stream, "200 OK", tasks(set, &body).as_bytes())?;
        } else {
            send(stream, "404 Not Found", br#"{"code":404}"#)?;
        }
    }
}

fn detail(mut stream: &TcpStream, answers: &mut File, (set, id): (&Set, &str)) -> io::Result<()> {
    let found = set
        .tasks
        .get(id)
        .map(|(workflow, at)| &set.workflows[workflow][*at]);
    let Some(listed) = found else {
        return send(
            stream,
            "200 OK",
            br#"{"data":null,"status":"not found","code":404}"#,
        );
    };
    let Listed { offset, length, .. } = *listed;
    let is_copy = listed.id != listed.made_as;
    if !set.latency.is_zero() {
        std::thread::sleep(set.latency);
    }
    let place = |at: u64| usize::try_from(at).expect("it lies in memory");
    if length <= SMALL && !set.small.is_empty() && !is_copy {
        return send(
            stream,
            "200 OK",
            &set.small[place(offset)..place(offset + length)],
        );
    }
    stream.write_all(head("200 OK", length).as_bytes())?;
    answers.seek(SeekFrom::Start(offset))?;
    let mut rest = length;
    if is_copy {
        // The id stands near the beginning, and nowhere else.
        let mut start = vec![0; usize::try_from(length.min(256)).expect("it is short")];
        answers.read_exact(&mut start)?;
        let text = String::from_utf8_lossy(&start);
        let at = text.find(&listed.made_as);
        let at = at.ok_or(io::ErrorKind::InvalidData)?;
        start[at..at + listed.id.len()].copy_from_slice(listed.id.as_bytes());
        stream.write_all(&start)?;
        rest -= start.len() as u64;
    }
    // From a file to a socket: sendfile.
    let sent = io::copy(&mut answers.take(rest), &mut stream)?;
    if sent == rest {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn head(status: &str, length: u64) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

fn send(mut stream: &TcpStream, status: &str, body: &[u8]) -> io::Result<()> {
    let head = head(status, body.len() as u64);
    let sent = stream.write_vectored(&[IoSlice::new(head.as_bytes()), IoSlice::new(body)])?;
    match sent.checked_sub(head.len()) {
        Some(of_body) => stream.write_all(&body[of_body..]),
        None => {
            stream.write_all(&head.as_bytes()[sent..])?;
            stream.write_all(body)
        }
    }
}

/// The text or number of a key in a small, flat JSON object.
fn field<'b>(body: &'b str, key: &str) -> &'b str {
    let quoted = format!("\"{key}\"");
    let value = body.split_once(&quoted).map_or("", |(_, rest)| rest);
    value
        .trim_start_matches([':', ' '])
        .split([',', '}'])
        .next()
        .unwrap_or("")
        .trim_matches(['"', ' '])
}

fn query<'t>(target: &'t str, name: &str) -> Option<&'t str> {
    let (_, query) = target.split_once('?')?;
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn page(items: &[String], (number, size): (&str, &str)) -> String {
    let size = size.parse().unwrap_or(100).max(1);
    let from = (number.parse().unwrap_or(1).max(1) - 1) * size;
    let some: Vec<&str> = items
        .iter()
        .skip(from)
        .take(size)
        .map(String::as_str)
        .collect();
    format!(
        r#"{{"data":{{"list":[{}],"total":{}}},"status":"OK","code":200}}"#,
        some.join(","),
        items.len()
    )
}

fn workflows(set: &Set, target: &str) -> String {
    let moment = |name: &str| query(target, name).unwrap_or("").replace("%3A", ":");
    let (from, to) = (moment("start_time"), moment("end_time"));
    let items: Vec<String> = set
        .workflows
        .iter()
        .filter_map(|(id, tasks)| {
            // Made at midnight before its first task.
            let made = format!("{}T00:00:00Z", tasks.first()?.start.split('T').next()?);
            (made >= from && made < to).then(|| {
                format!(
                    r#"{{"workflow_id":"{id}","workflow_name":"collection","status":"finished","create_time":"{made}"}}"#
                )
            })
        })
        .collect();
    let part = |name| query(target, name).unwrap_or("");
    page(&items, (part("page"), part("page_size")))
}

fn tasks(set: &Set, body: &str) -> String {
    let tasks = set.workflows.get(field(body, "workflow_id"));
    let items: Vec<String> = tasks
        .into_iter()
        .flatten()
        .map(|task| {
            let Listed { id, start, end, .. } = task;
            format!(
                r#"{{"task_id":"{id}","task_name":"t","status":"finished","schedule_start_time":"{start}","schedule_end_time":"{end}","nodetask_id":"n","nodetask_name":"Voicebot Call1"}}"#
            )
        })
        .collect();
    page(&items, (field(body, "page"), field(body, "page_size")))
}
