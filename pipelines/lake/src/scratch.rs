//! A scratch lake: tables as they were at one version, and writes that leave no trace.
//!
//! ```text
//! read  ── in the scratch folder? ── yes ──> scratch
//!                │no
//!                └── shown, and not newer than shown? ──> the lake
//! write ────────────────────────────────────────────────> scratch
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path as Folder;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::datasource::object_store::ObjectStoreUrl;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::error::LakeError;
use crate::lake::Lake;
use crate::location;
use crate::store::{Root, plan_url};
use crate::table::FENCE;

/// The hint that names the newest checkpoint, which may be newer than what is shown.
const LAST_CHECKPOINT: &str = "_last_checkpoint";

impl Lake {
    /// Opens a lake in `folder` in which the tables of `shown`, by their locations, stand at the
    /// versions given, as if nothing had been written since; other locations are empty. What is
    /// written goes to `folder`, which the caller removes; this lake is read only.
    ///
    /// # Errors
    /// [`LakeError::Config`] if the folder cannot be used, [`LakeError::BadLocation`].
    pub fn scratch(&self, folder: &Folder, shown: &BTreeMap<String, i64>) -> crate::Result<Self> {
        let unusable = |error: std::io::Error| LakeError::Config {
            setting: "scratch folder".to_owned(),
            reason: format!("`{}` cannot be made: {error}", folder.display()),
        };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let own = LocalFileSystem::new_with_prefix(folder).map_err(LakeError::store("open"))?;
        let shown = shown.iter().map(|(location, version)| Ok((location::parse(location)?, *version)));
        let store = Scratch {
            own: Arc::new(own),
            lake: Arc::clone(&self.root().store),
            shown: shown.collect::<crate::Result<Vec<_>>>()?.into(),
        };
        let url: ObjectStoreUrl = plan_url(&uuid::Uuid::now_v7().to_string())?;
        Ok(Self::of_root(Root { store: Arc::new(store), url }))
    }
}

/// A store that writes to one place and reads through to another.
#[derive(Debug, Clone)]
struct Scratch {
    own: Arc<LocalFileSystem>,
    lake: Arc<dyn ObjectStore>,
    /// The tables that can be seen, and their newest versions.
    shown: Arc<[(Path, i64)]>,
}

impl fmt::Display for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scratch over {}", self.lake)
    }
}

impl Scratch {
    /// Returns true if an object of the lake can be seen.
    fn shows(&self, path: &Path) -> bool {
        self.shown.iter().any(|(location, newest)| {
            let Some(mut parts) = path.prefix_match(location) else { return false };
            match (parts.next(), parts.next()) {
                (Some(log), Some(entry)) if log.as_ref() == "_delta_log" => is_of(entry.as_ref(), *newest),
                (Some(object), None) => object.as_ref() != FENCE,
                (part, _) => part.is_some(),
            }
        })
    }

    fn missing(path: &Path) -> Error {
        Error::NotFound { path: path.to_string(), source: "not shown in the scratch lake".into() }
    }
}

/// Returns true if an entry of a log speaks of no version newer than this one. Names begin with the
/// version's 20 digits, those of checkpoints too.
fn is_of(entry: &str, newest: i64) -> bool {
    entry != LAST_CHECKPOINT
        && entry.get(..20).and_then(|digits| digits.parse::<i64>().ok()).is_some_and(|version| version <= newest)
}

#[async_trait]
impl ObjectStore for Scratch {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.own.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.own.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match self.own.get_opts(location, options.clone()).await {
            Err(Error::NotFound { .. }) if self.shows(location) => self.lake.get_opts(location, options).await,
            Err(Error::NotFound { .. }) => Err(Self::missing(location)),
            found => found,
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.own.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let this = self.clone();
        let shown = self.lake.list(prefix).try_filter(move |meta| {
            let is_shown = this.shows(&meta.location);
            async move { is_shown }
        });
        self.own.list(prefix).chain(shown).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut found = self.own.list_with_delimiter(prefix).await?;
        let below = self.lake.list_with_delimiter(prefix).await?;
        found.objects.extend(below.objects.into_iter().filter(|meta| self.shows(&meta.location)));
        found.common_prefixes.extend(below.common_prefixes.into_iter().filter(|folder| self.leads_to_shown(folder)));
        found.common_prefixes.sort();
        found.common_prefixes.dedup();
        Ok(found)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let payload = self.get(from).await?.bytes().await?;
        let mode = match options.mode {
            object_store::CopyMode::Overwrite => object_store::PutMode::Overwrite,
            object_store::CopyMode::Create => object_store::PutMode::Create,
        };
        self.own.put_opts(to, payload.into(), mode.into()).await.map(|_| ())
    }
}

impl Scratch {
    fn leads_to_shown(&self, folder: &Path) -> bool {
        self.shown.iter().any(|(location, _)| folder.prefix_matches(location) || location.prefix_matches(folder))
    }
}
