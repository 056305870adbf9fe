//! Stores encoded pages until their file is written, without excess capacity: a compressed page's
//! buffer is as large as its uncompressed input.

use bytes::Bytes;
use parquet::arrow::arrow_writer::{PageKey, PageStore, PageStoreArgs, PageStoreFactory};
use parquet::errors::{ParquetError, Result};

/// Makes a [`CompactPageStore`] for each column.
#[derive(Debug)]
pub(crate) struct CompactPageStoreFactory;

impl PageStoreFactory for CompactPageStoreFactory {
    fn create(&self, _: &PageStoreArgs<'_>) -> Result<Box<dyn PageStore>> {
        Ok(Box::new(CompactPageStore::default()))
    }
}

/// The pages of one column of a row group.
#[derive(Debug, Default)]
struct CompactPageStore {
    pages: Vec<Option<Bytes>>,
    bytes: usize,
}

impl PageStore for CompactPageStore {
    fn put(&mut self, page: Bytes) -> Result<PageKey> {
        let key = PageKey::new(self.pages.len() as u64);
        self.bytes += page.len();
        self.pages.push(Some(Bytes::copy_from_slice(&page)));
        Ok(key)
    }

    fn take(&mut self, key: PageKey) -> Result<Bytes> {
        let slot = usize::try_from(key.get())
            .ok()
            .and_then(|at| self.pages.get_mut(at));
        let page = slot.and_then(Option::take);
        let page =
            page.ok_or_else(|| ParquetError::General("a page was taken twice".to_owned()))?;
        self.bytes -= page.len();
        Ok(page)
    }

    fn memory_size(&self) -> usize {
        self.bytes
    }
}
