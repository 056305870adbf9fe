//! HTTP in practice: codings, headers, timeouts.

use super::*;

const ANSWER: &[u8] = br#"{"data": {"TaskID": "t1"}, "code": 200}"#;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text).expect("in memory");
    packer.finish().expect("in memory")
}

/// A good response with this header line.
async fn server_with(line: &'static str, body: Vec<u8>) -> Server {
    Server::with_auth(move |_, _| Reply::Full(200, vec![line.to_owned()], body.clone())).await
}

#[rstest]
#[case::members("content-encoding: gzip", [gzip(&ANSWER[..9]), gzip(&ANSWER[9..])].concat())]
#[case::upper_case("Content-Encoding: GZIP", gzip(ANSWER))]
#[case::old_name("content-encoding: x-gzip", gzip(ANSWER))]
#[case::identity("content-encoding: identity", ANSWER.to_vec())]
#[case::space_before_the_colon("Access-Control-Allow-Credentials : true", ANSWER.to_vec())]
#[case::folded("x-note: one\r\n  two", ANSWER.to_vec())]
#[case::no_header("this is no header", ANSWER.to_vec())]
#[case::no_name("na me: value", ANSWER.to_vec())]
#[case::control("x-note: a\u{1}b", ANSWER.to_vec())]
#[case::no_ascii("x-note: \u{e9}", ANSWER.to_vec())]
#[tokio::test]
async fn what_other_clients_take_is_taken(#[case] line: &'static str, #[case] body: Vec<u8>) {
    let server = server_with(line, body).await;
    let (client, log) = client(&server);
    detail(&client).await.expect("an answer");
    assert_eq!(log.outcomes(), ["ok"]);
}

#[tokio::test]
async fn gzip_is_asked_for_and_bytes_are_counted_unpacked() {
    let text = format!(
        r#"{{"data": {{"TaskID": "t1", "x": "{}"}}, "code": 200}}"#,
        "y".repeat(100_000)
    );
    let length = text.len() as u64;
    let server = server_with("content-encoding: gzip", gzip(text.as_bytes())).await;
    let (client, log) = client(&server);
    detail(&client).await.expect("an answer");
    let counted = log.all().into_iter().filter_map(|event| match event {
        Event::Request { bytes, .. } => Some(bytes),
        _ => None,
    });
    assert_eq!(counted.last(), Some(length));
    assert_eq!(server.seen()[1].accept_encoding.as_deref(), Some("gzip"));
}

#[rstest]
#[case("content-encoding: br", ANSWER, "`Content-Encoding: br`")]
#[case("content-encoding: zstd", ANSWER, "`Content-Encoding: zstd`")]
#[case("content-encoding: deflate", ANSWER, "`Content-Encoding: deflate`")]
#[case("content-encoding: gzip", ANSWER, "gzip data")]
#[tokio::test]
async fn a_coding_that_cannot_be_undone_is_named(
    #[case] line: &'static str,
    #[case] body: &[u8],
    #[case] part: &str,
) {
    let server = server_with(line, body.to_vec()).await;
    let (client, log) = client(&server);
    let error = detail(&client).await.expect_err("unreadable");
    assert!(error.to_string().contains(part), "{error}");
    assert_eq!(log.outcomes(), ["coding"; 6]);
}

#[tokio::test]
async fn an_error_in_gzip_is_read_for_its_code() {
    let body = gzip(br#"{"code": 404}"#);
    let server = Server::with_auth(move |_, _| {
        Reply::Full(400, vec!["content-encoding: gzip".to_owned()], body.clone())
    })
    .await;
    let (client, _) = client(&server);
    let error = detail(&client).await.expect_err("gone");
    assert!(matches!(error, DetailError::NotFound { .. }), "{error:?}");
}

#[rstest]
#[case::no_http("SSH-2.0-OpenSSH_9.6\r\n", "no status line")]
#[case::other_protocol("ICY 200 OK\r\n\r\n", "no status line")]
#[case::status("HTTP/1.1 2x0 OK\r\n\r\n", "the status code")]
#[case::length("HTTP/1.1 200 OK\r\nContent-Length: MARK\r\n\r\n", "Content-Length")]
#[case::two_lengths(
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "Content-Length"
)]
#[case::nul("HTTP/1.1 200 OK\r\nX-Odd: MARK\0\r\n\r\n", "control byte")]
#[case::many(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-Odd: MARK\r\n".repeat(150)), "more than 100 headers")]
#[tokio::test]
async fn a_head_that_cannot_be_read_is_told_by_its_part(#[case] head: &str, #[case] part: &str) {
    let head = head.as_bytes().to_vec();
    let server = Server::with_auth(move |_, _| Reply::Raw(head.clone())).await;
    let (client, log) = client(&server);
    let error = detail(&client).await.expect_err("no HTTP").to_string();
    assert!(
        error.contains("headers cannot be read") && error.contains(part) && !error.contains("MARK"),
        "{error}"
    );
    assert_eq!(log.outcomes(), ["bad_head"; 6]);
}

#[rstest]
#[case::post(|client: ApiClient| async move { detail(&client).await.map(drop).map_err(|error| error.to_string()) }.boxed())]
#[case::get(|client: ApiClient| async move {
    let to = Clock::system().now();
    let window = crate::calendar::Window { from: to, to };
    let listing = client.list_workflows(window).await.expect("a listing");
    listing.fault.map_or(Ok(()), |fault| Err(fault.to_string()))
}.boxed())]
#[tokio::test]
async fn an_answer_that_does_not_come_is_waited_for_as_long_as_read_timeout_says(
    #[case] ask: fn(ApiClient) -> futures_util::future::BoxFuture<'static, Result<(), String>>,
) {
    let server = Server::with_auth(|_, _| Reply::Never).await;
    let mut options = options(&server.base);
    options.connect_timeout = Duration::from_mins(2);
    options.read_timeout = Duration::from_millis(100);
    options.retry.max_attempts = std::num::NonZeroU32::new(2).expect("not zero");
    let (log, events) = Log::events();
    let start = Instant::now();
    let error = ask(client_with(options, events))
        .await
        .expect_err("no answer");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert!(
        error.contains("nothing received for `read_timeout`"),
        "{error}"
    );
    assert_eq!(log.outcomes(), ["timeout"; 2]);
}

#[tokio::test]
async fn a_connection_that_does_not_come_is_waited_for_as_long_as_connect_timeout_says() {
    // The listener never accepts, and its backlog is full.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("bound");
    let listener = socket.listen(0).expect("listening");
    let address = listener.local_addr().expect("bound");
    let mut queue = Vec::new();
    let soon = Duration::from_millis(200);
    while let Ok(Ok(stream)) =
        tokio::time::timeout(soon, tokio::net::TcpStream::connect(address)).await
    {
        queue.push(stream);
    }
    let mut options = options(&format!("http://{address}"));
    options.connect_timeout = Duration::from_millis(300);
    // Shorter than the connection takes: it starts when the request is sent.
    options.read_timeout = Duration::from_millis(50);
    options.retry.max_attempts = std::num::NonZeroU32::MIN;
    let (_, events) = Log::events();
    let start = Instant::now();
    let error = client_with(options, events)
        .sign_in()
        .await
        .expect_err("no connection");
    assert!(start.elapsed() >= Duration::from_millis(250), "{error}");
    assert!(error.to_string().contains("`connect_timeout`"), "{error}");
}
