//! Object stores as real servers.

use std::net::TcpStream;
use std::sync::Arc;

use rstest::rstest;

use crate::harness::servers::{Kind, Server};
use crate::harness::skip;

#[rstest]
#[ignore = "needs object stores from PyPI and npm: just test-all"]
fn a_server_runs_as_long_as_somebody_has_it(
    #[values(Kind::SeaweedFs, Kind::Moto, Kind::Azurite, Kind::S3rver)] kind: Kind,
) {
    let first = match Server::of(kind) {
        Ok(server) => server,
        Err(why) => return skip(&why),
    };
    let second = Server::of(kind).expect("it runs");
    assert!(Arc::ptr_eq(&first, &second));
    let address = first.address();
    let said = first.variables();
    assert!(
        said.iter()
            .any(|(_, value)| value.contains(&address.to_string()))
    );
    assert!(first.dest("x").ends_with("://lake/x"));
    drop(first);
    TcpStream::connect(address).expect("somebody has it");
    // Other tests may have the shared one, too.
    let own = Server::start(kind).expect("it starts");
    let address = own.address();
    TcpStream::connect(address).expect("somebody has it");
    drop(own);
    TcpStream::connect(address).expect_err("nobody has it");
}
