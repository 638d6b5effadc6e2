//! Objects that are no table: results that must be shown again as they were.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};

use crate::error::{LakeError, Result};
use crate::lake::Lake;

impl Lake {
    /// Keeps bytes under a new name and returns the place, right at the lake's root: tables lie in folders of schemas.
    ///
    /// # Errors
    /// [`LakeError::Store`] and [`LakeError::Full`].
    pub async fn keep(&self, bytes: Vec<u8>) -> Result<String> {
        let place = format!("_kept-{}", uuid::Uuid::now_v7());
        let put = self.store().put(&Path::from(place.as_str()), PutPayload::from(bytes)).await;
        put.map_err(LakeError::store("keep a result"))?;
        Ok(place)
    }

    /// Returns what was kept at a place.
    ///
    /// # Errors
    /// [`LakeError::Store`].
    pub async fn kept(&self, place: &str) -> Result<Bytes> {
        let read = async { self.store().get(&Path::from(place)).await?.bytes().await };
        read.await.map_err(LakeError::store("read a kept result"))
    }
}
