//! From a lake's URL to the object store that is rooted there.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::datasource::object_store::ObjectStoreUrl;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use sha2::{Digest, Sha256};
use url::Url;

use crate::error::{LakeError, Result};
use crate::types::LakeConfig;

/// An object store whose root is the lake's root, and the name that plans know it by.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) url: ObjectStoreUrl,
}

/// Opens the store that `config` names.
pub(crate) fn open(config: &LakeConfig) -> Result<Root> {
    if config.options.keys().any(|key| key.to_ascii_lowercase().ends_with("allow_unsafe_rename")) {
        return Err(bad("allow_unsafe_rename", "two writers could then commit the same version; remove it"));
    }
    let url = Url::parse(&config.url)
        .map_err(|_| bad("url", "it must look like file:///path, memory:/// or s3://bucket/prefix"))?;
    match url.scheme() {
        "file" => Ok(Root { store: local(&url)?, url: plan_url(&config.url)? }),
        "memory" => Ok(Root { store: Arc::new(InMemory::new()), url: plan_url(&uuid::Uuid::now_v7().to_string())? }),
        "s3" => Ok(Root { store: s3(&url, &config.options)?, url: plan_url(&config.url)? }),
        _ => Err(bad("url", "its scheme must be file, memory or s3")),
    }
}

fn bad(setting: &str, reason: impl ToString) -> LakeError {
    LakeError::Config { setting: setting.to_owned(), reason: reason.to_string() }
}

/// Names the store in query plans. The name is the same in every process that opens the same lake.
pub(crate) fn plan_url(identity: &str) -> Result<ObjectStoreUrl> {
    let digest = hex::encode(Sha256::digest(identity.trim_end_matches('/').as_bytes()));
    Ok(ObjectStoreUrl::parse(format!("causeway-lake://{}", &digest[..24]))?)
}

/// Makes the folder if it is missing and opens it.
///
/// A commit appears by a hard link of a complete file, so a killed process leaves either the whole
/// commit or none. The store does not call `fsync`: a power cut may lose the last seconds of writes.
fn local(url: &Url) -> Result<Arc<dyn ObjectStore>> {
    let folder = url.to_file_path().map_err(|()| bad("url", "a file URL needs an absolute path: file:///path"))?;
    std::fs::create_dir_all(&folder)
        .map_err(|error| bad("url", format!("cannot make the folder `{}`: {error}", folder.display())))?;
    let store = LocalFileSystem::new_with_prefix(folder).map_err(LakeError::store("open"))?;
    Ok(Arc::new(store))
}

#[cfg(feature = "s3")]
fn s3(url: &Url, options: &BTreeMap<String, String>) -> Result<Arc<dyn ObjectStore>> {
    use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
    use object_store::prefix::PrefixStore;

    let bucket = url.host_str().ok_or_else(|| bad("url", "an S3 URL needs a bucket: s3://bucket/prefix"))?;
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
    for (key, value) in options {
        let known: AmazonS3ConfigKey =
            key.parse().map_err(|_| bad(key, "no such setting of S3; see the names of `AmazonS3ConfigKey`"))?;
        builder = builder.with_config(known, value);
    }
    // Commits are put-if-absent; a store without it would lose them silently.
    let store = builder.with_conditional_put(S3ConditionalPut::ETagMatch).build().map_err(LakeError::store("open"))?;
    let prefix = object_store::path::Path::from_url_path(url.path())
        .map_err(|_| bad("url", "its path is not a valid S3 prefix"))?;
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}

#[cfg(not(feature = "s3"))]
fn s3(_: &Url, _: &BTreeMap<String, String>) -> Result<Arc<dyn ObjectStore>> {
    Err(bad("url", "this build has no S3 support; build it with the feature `s3`"))
}
