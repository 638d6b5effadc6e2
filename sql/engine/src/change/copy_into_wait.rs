use std::collections::BTreeMap;
use causeway_model::DatasetVersion;
use crate::error::{EngineError, ErrorKind, Result};
use crate::parse::CopyInto;
use super::target::Target;
use super::{Change, Done, Prepared};
pub(super) struct Load;
impl Change<'_> {
    pub(super) async fn copy_into(&self, _copy: &CopyInto) -> Result<Prepared> {
        Err(EngineError::new(ErrorKind::Unsupported, "COPY INTO is not linked in yet"))
    }
}
impl Load {
    pub(super) async fn perform(self, _c: &Change<'_>, _i: &BTreeMap<String, DatasetVersion>, _t: Option<Target>) -> Result<Done> {
        Err(EngineError::new(ErrorKind::Unsupported, "COPY INTO is not linked in yet"))
    }
}
