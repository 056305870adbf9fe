//! A lake in an object store, as a reader that knows nothing of the program sees it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _};

use super::Exporter;
use super::servers::{BUCKET, Kind, Server};
use super::shelf::Shelf;

/// A lake below a prefix.
pub(crate) struct Bucket {
    server: Arc<Server>,
    objects: Box<dyn ObjectStore>,
    runtime: tokio::runtime::Runtime,
    lake: String,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.dest())
    }
}

impl Bucket {
    /// The lake of this name.
    pub(crate) fn new(server: Arc<Server>, lake: &str) -> Self {
        // Whoever was first decides; all are the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let objects: Box<dyn ObjectStore> = match server.kind() {
            Kind::Azurite => {
                let mut builder = MicrosoftAzureBuilder::new().with_container_name(BUCKET);
                for (name, value) in server.variables() {
                    let key: Result<AzureConfigKey, _> = name.to_lowercase().parse();
                    builder = match key {
                        Ok(key) => builder.with_config(key, value),
                        Err(_) => builder.with_endpoint(value),
                    };
                }
                let builder = builder.with_allow_http(true);
                Box::new(builder.build().expect("the emulator's settings"))
            }
            _ => {
                let mut builder = AmazonS3Builder::new().with_bucket_name(BUCKET);
                for (name, value) in server.variables() {
                    let key: AmazonS3ConfigKey = name.to_lowercase().parse().expect("it is one");
                    builder = builder.with_config(key, value);
                }
                let builder = builder.with_allow_http(true);
                Box::new(builder.build().expect("the server's settings"))
            }
        };
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        Self {
            server,
            objects,
            runtime: runtime.enable_all().build().expect("a runtime"),
            lake: lake.to_owned(),
        }
    }

    /// Its address.
    pub(crate) fn dest(&self) -> String {
        self.server.dest(&self.lake)
    }

    /// The program with its lake here, and what is needed to reach it.
    pub(crate) fn exporter(&self, exporter: &Exporter) -> Exporter {
        let mut exporter = exporter.clone().set("AIRUDDER_DEST", &self.dest());
        for (name, value) in self.server.variables() {
            exporter = exporter.set(name, &value);
        }
        exporter
    }

    /// Writes an object.
    pub(crate) fn put(&self, path: &str, bytes: &'static [u8]) {
        let key = self.key(path);
        let put = self.objects.put(&key, bytes.into());
        self.runtime.block_on(put).expect("it can be written");
    }

    fn key(&self, path: &str) -> Path {
        Path::from(format!("{}/{path}", self.lake))
    }
}

impl Shelf for Bucket {
    fn list(&self, folder: &str) -> Vec<String> {
        let found = self.objects.list(Some(&self.key(folder)));
        let found: Vec<_> = self.runtime.block_on(found.try_collect()).expect("listed");
        let prefix = format!("{}/", self.lake);
        let mut paths: Vec<String> = found
            .iter()
            .filter_map(|meta| meta.location.as_ref().strip_prefix(&prefix))
            .map(str::to_owned)
            .collect();
        paths.sort();
        paths
    }

    fn get(&self, path: &str) -> Option<Bytes> {
        let key = self.key(path);
        let get = async { self.objects.get(&key).await?.bytes().await };
        match self.runtime.block_on(get) {
            Ok(bytes) => Some(bytes),
            Err(Error::NotFound { .. }) => None,
            Err(error) => panic!("{path}: {error}"),
        }
    }

    fn path_of(&self, listed: &str) -> String {
        let path = listed.strip_prefix(&self.dest());
        let path = path.and_then(|path| path.strip_prefix('/'));
        path.expect("below the lake").to_owned()
    }
}
