//! An in-memory object store with scripted faults, for tests.
//!
//! Every request has an [`Operation`]. A [`Trouble`] is scripted for the `nth` request of an
//! operation, once or from then on; other requests succeed. The store also counts requests and
//! tracks the open uploads, which a real store would bill.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartId, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use tokio::sync::watch;

/// What is asked of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Get,
    Head,
    List,
    Put,
    Create,
    Update,
    Delete,
    OpenUpload,
    SendPart,
    Complete,
    Abort,
}

impl Operation {
    pub(crate) const ALL: [Self; 11] = [
        Self::Get,
        Self::Head,
        Self::List,
        Self::Put,
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::OpenUpload,
        Self::SendPart,
        Self::Complete,
        Self::Abort,
    ];
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is refused, and has no effect.
    Reject,
    /// It takes effect, and an error is answered.
    FailAfter,
    /// It takes effect, and no answer comes: the client can't know.
    Lost,
    /// It has no effect, and the connection breaks. A listing breaks off after its first entry.
    Cut,
    /// It takes effect, and the answer makes no sense, as one does whose body is empty.
    Garbled,
    /// It waits until it is released, and then takes effect.
    Hold,
    /// It takes its time.
    Slow,
    /// A listing is that of the moment when this was scripted.
    Stale,
}

/// A store in memory with its script.
#[derive(Clone, Debug)]
pub(crate) struct Faulty(Arc<FaultyInner>);

#[derive(Debug)]
struct FaultyInner {
    objects: InMemory,
    script: Mutex<FaultScript>,
    released: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct FaultScript {
    counts: BTreeMap<Operation, u32>,
    trouble: Option<Scripted>,
    uploads: BTreeSet<MultipartId>,
    is_paused: bool,
}

#[derive(Debug)]
struct Scripted {
    operation: Operation,
    nth: u32,
    trouble: Trouble,
    /// Not only the nth one: all from then on.
    lasts: bool,
    then: InMemory,
}

impl Faulty {
    /// The store in memory that an address of `memory://` with this host stands for.
    pub(crate) fn of_host(host: &str) -> Self {
        static STORES: LazyLock<Mutex<HashMap<String, Faulty>>> = LazyLock::new(Mutex::default);
        let mut stores = STORES.lock().expect("no panic while it is held");
        stores
            .entry(host.to_owned())
            .or_insert_with(|| {
                Self(Arc::new(FaultyInner {
                    objects: InMemory::new(),
                    script: Mutex::default(),
                    released: watch::channel(false).0,
                }))
            })
            .clone()
    }

    /// Takes over the objects that another store holds now. Nothing is counted.
    pub(crate) async fn take_over(&self, other: &Self) {
        let mut found = other.0.objects.list(None);
        while let Some(meta) = found.next().await {
            let path = meta.expect("memory can be listed").location;
            let object = other.0.objects.get(&path).await.expect("it is listed");
            let bytes = object.bytes().await.expect("it is in memory");
            let put = self.0.objects.put(&path, bytes.into()).await;
            put.expect("memory takes all");
        }
    }

    fn script(&self) -> MutexGuard<'_, FaultScript> {
        self.0.script.lock().expect("no panic while it is held")
    }

    /// From now on counts from zero, and scripts this for the nth request of an operation.
    pub(crate) fn fail(&self, operation: Operation, nth: u32, trouble: Trouble) {
        self.set(Some(Scripted {
            operation,
            nth,
            trouble,
            lasts: false,
            then: self.0.objects.fork(),
        }));
    }

    /// As [`Faulty::fail`], and for all that follow.
    pub(crate) fn fail_from(&self, operation: Operation, nth: u32, trouble: Trouble) {
        self.fail(operation, nth, trouble);
        if let Some(scripted) = &mut self.script().trouble {
            scripted.lasts = true;
        }
    }

    fn set(&self, trouble: Option<Scripted>) {
        let mut script = self.script();
        script.counts.clear();
        script.trouble = trouble;
        self.0.released.send_replace(false);
    }

    /// From now on all goes well, and counting starts again. What was held continues.
    pub(crate) fn heal(&self) {
        self.set(None);
        self.0.released.send_replace(true);
    }

    /// While it is paused, all goes well and nothing is counted.
    pub(crate) fn pause(&self, is_paused: bool) {
        self.script().is_paused = is_paused;
    }

    /// How often an operation was asked for since the last script.
    pub(crate) fn count(&self, operation: Operation) -> u32 {
        self.script().counts.get(&operation).copied().unwrap_or(0)
    }

    /// Uploads that are neither completed nor aborted.
    pub(crate) fn open_uploads(&self) -> usize {
        self.script().uploads.len()
    }

    /// Counts a request, and says what is to go wrong with it.
    fn meet(&self, operation: Operation) -> Option<Trouble> {
        let mut script = self.script();
        if script.is_paused {
            return None;
        }
        let count = script.counts.entry(operation).or_default();
        *count += 1;
        let count = *count;
        let scripted = script.trouble.as_ref()?;
        let is_due = scripted.operation == operation
            && (scripted.nth == count || scripted.lasts && count > scripted.nth);
        is_due.then_some(scripted.trouble)
    }

    async fn ask<T>(
        &self,
        operation: Operation,
        request: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match self.meet(operation) {
            None | Some(Trouble::Stale) => request.await,
            Some(Trouble::Reject) => Err(refusal()),
            Some(Trouble::FailAfter) => {
                request.await?;
                Err(refusal())
            }
            Some(Trouble::Cut) => Err(failure(HttpErrorKind::Interrupted)),
            Some(Trouble::Garbled) => {
                request.await?;
                Err(nonsense())
            }
            Some(Trouble::Lost) => {
                request.await?;
                Err(failure(HttpErrorKind::Timeout))
            }
            Some(Trouble::Hold) => {
                let mut released = self.0.released.subscribe();
                // An error means that the store was dropped.
                let _ = released.wait_for(|released| *released).await;
                request.await
            }
            Some(Trouble::Slow) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
                request.await
            }
        }
    }

    /// What a listing is made from.
    fn listed(&self) -> Result<InMemory> {
        match self.meet(Operation::List) {
            None | Some(Trouble::Hold | Trouble::Slow) => Ok(self.0.objects.fork()),
            Some(Trouble::Stale) => {
                let script = self.script();
                let then = script.trouble.as_ref().map(|scripted| scripted.then.fork());
                Ok(then.unwrap_or_else(|| self.0.objects.fork()))
            }
            Some(Trouble::Reject | Trouble::FailAfter) => Err(refusal()),
            Some(Trouble::Cut | Trouble::Lost) => Err(failure(HttpErrorKind::Decode)),
            Some(Trouble::Garbled) => Err(nonsense()),
        }
    }
}

/// What another try does not change.
fn refusal() -> Error {
    Error::Generic {
        store: "Faulty",
        source: "status code: 400 Bad Request: failed as told".into(),
    }
}

fn nonsense() -> Error {
    Error::Generic {
        store: "Faulty",
        source: "Got invalid response: unexpected end of file".into(),
    }
}

fn failure(kind: HttpErrorKind) -> Error {
    let source = HttpError::new(kind, std::io::Error::other("failed as told"));
    Error::Generic {
        store: "Faulty",
        source: Box::new(source),
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let operation = match options.mode {
            PutMode::Overwrite => Operation::Put,
            PutMode::Create => Operation::Create,
            PutMode::Update(_) => Operation::Update,
        };
        let request = self.0.objects.put_opts(location, payload, options);
        self.ask(operation, request).await
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        unreachable!("uploads are opened by their ids")
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let operation = if options.head {
            Operation::Head
        } else {
            Operation::Get
        };
        let request = self.0.objects.get_opts(location, options);
        self.ask(operation, request).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Result<Path>| {
            let store = store.clone();
            async move {
                let location = location?;
                let request = store.0.objects.delete(&location);
                store.ask(Operation::Delete, request).await?;
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.listed() {
            Ok(objects) => objects.list(prefix),
            Err(error) => {
                let heard = self.0.objects.fork().list(prefix).take(1);
                heard.chain(stream::iter([Err(error)])).boxed()
            }
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.listed()?.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _from: &Path, _to: &Path, _options: CopyOptions) -> Result<()> {
        unreachable!("nothing is copied")
    }
}

#[async_trait]
impl MultipartStore for Faulty {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        let request = async {
            let id = self.0.objects.create_multipart(path).await?;
            self.script().uploads.insert(id.clone());
            Ok(id)
        };
        self.ask(Operation::OpenUpload, request).await
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        part: usize,
        payload: PutPayload,
    ) -> Result<PartId> {
        let request = self.0.objects.put_part(path, id, part, payload);
        self.ask(Operation::SendPart, request).await
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        let request = async {
            let completed = self.0.objects.complete_multipart(path, id, parts).await?;
            self.script().uploads.remove(id);
            Ok(completed)
        };
        self.ask(Operation::Complete, request).await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        let request = async {
            self.0.objects.abort_multipart(path, id).await?;
            self.script().uploads.remove(id);
            Ok(())
        };
        self.ask(Operation::Abort, request).await
    }
}
