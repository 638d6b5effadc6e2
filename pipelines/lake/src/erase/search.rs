//! Decodes every object below a table and searches it for a subject's values.

use bytes::Bytes;
use object_store::ObjectMeta;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::column::page::Page;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use sha2::{Digest, Sha256};

use super::traces::Traces;
use crate::error::{LakeError, Result};
use crate::table::{FENCE, Table};

/// What a search of all objects found. Holds no value.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// The objects searched.
    pub objects: Vec<SearchedObject>,
    /// Their size together.
    pub bytes: u64,
    /// Places where a value was found.
    pub hits: u64,
}

/// One object that was decoded and searched.
#[derive(Debug, Clone)]
pub struct SearchedObject {
    /// Its path below the table.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 digest of what was searched.
    pub sha256: String,
    /// Places where a value was found.
    pub hits: u64,
}

impl Table {
    /// Searches everything below the table except the erasure's own fence.
    pub(super) async fn search(&self, column: &str, values: &[String]) -> Result<Evidence> {
        let mut evidence = Evidence::default();
        for object in self.objects().await? {
            let path = self.name_below(&object);
            if path == FENCE {
                continue;
            }
            let searched = self.search_object(&object, path, column, values).await?;
            evidence.bytes += searched.bytes;
            evidence.hits += searched.hits;
            evidence.objects.push(searched);
        }
        Ok(evidence)
    }

    async fn search_object(
        &self,
        object: &ObjectMeta,
        path: String,
        column: &str,
        values: &[String],
    ) -> Result<SearchedObject> {
        let vanished = || LakeError::damaged(&self.log.location, format!("`{path}` vanished while it was searched"));
        let bytes = self.log.object(&object.location).await?.ok_or_else(vanished)?;
        let (name, column, values) = (path.clone(), column.to_owned(), values.to_vec());
        let searching = tokio::task::spawn_blocking(move || {
            let traces = Traces { column: &column, values: &values };
            let hits = traces.in_object(&name, &bytes)?;
            Ok::<_, ParquetError>((hits, bytes.len() as u64, hex::encode(Sha256::digest(&bytes))))
        });
        let (hits, bytes, sha256) = searching
            .await
            .map_err(LakeError::ended("the search"))?
            .map_err(|_| LakeError::damaged(&self.log.location, format!("`{path}` cannot be decoded")))?;
        Ok(SearchedObject { path, bytes, sha256, hits })
    }
}

impl Traces<'_> {
    fn in_object(&self, name: &str, bytes: &Bytes) -> Result<u64, ParquetError> {
        if name.ends_with(".parquet") {
            return self.in_parquet(bytes);
        }
        let text = String::from_utf8_lossy(bytes);
        Ok(text.lines().map(|line| self.in_json(line)).sum())
    }

    /// Searches rows, dictionaries, statistics and key-value metadata of a Parquet file.
    fn in_parquet(&self, bytes: &Bytes) -> Result<u64, ParquetError> {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let mut hits = 0;
        for batch in ParquetRecordBatchReaderBuilder::try_new_with_options(bytes.clone(), options)?.build()? {
            let batch = batch?;
            let named = batch.schema_ref().fields().iter().zip(batch.columns());
            hits += named.map(|(field, column)| self.in_array(field.name(), column)).sum::<u64>();
        }
        let reader = SerializedFileReader::new(bytes.clone())?;
        hits += self.in_footer(reader.metadata())?;
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group)?;
            for column in 0..group.num_columns() {
                for page in group.get_column_page_reader(column)? {
                    hits += self.in_dictionary(&page?);
                }
            }
        }
        Ok(hits)
    }

    /// Searches what a dictionary lists, also if no row refers to it.
    fn in_dictionary(&self, page: &Page) -> u64 {
        let Page::DictionaryPage { buf, .. } = page else { return 0 };
        // Plain encoding of texts: length, bytes, length, bytes. Numbers do not parse as that.
        let (mut rest, mut hits) = (buf.as_ref(), 0);
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let Ok(length) = usize::try_from(u32::from_le_bytes(*length)) else { break };
            let Some((text, after)) = after.split_at_checked(length) else { break };
            hits += self.in_bytes(text);
            rest = after;
        }
        hits
    }

    /// Searches bounds and key-value metadata. A bloom filter cannot be shown to be clean.
    fn in_footer(&self, footer: &ParquetMetaData) -> Result<u64, ParquetError> {
        let pairs = footer.file_metadata().key_value_metadata().into_iter().flatten();
        let mut hits: u64 = pairs
            .map(|pair| self.in_text(&pair.key) + pair.value.as_deref().map_or(0, |text| self.in_text(text)))
            .sum();
        for column in footer.row_groups().iter().flat_map(|group| group.columns()) {
            if column.bloom_filter_offset().is_some() {
                return Err(ParquetError::General("a bloom filter cannot be searched".to_owned()));
            }
            if let Some(statistics) = column.statistics() {
                let bounds = [statistics.min_bytes_opt(), statistics.max_bytes_opt()];
                hits += bounds.into_iter().flatten().map(|bytes| self.in_bytes(bytes)).sum::<u64>();
            }
        }
        Ok(hits)
    }
}
