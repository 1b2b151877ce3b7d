//! Functions that refresh materialized views.

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Function, TableName};
use truststream_sql::sqlite::materialized;

use crate::access::Access;
use crate::error::convert;
use crate::write::Write;

impl Write<'_> {
    /// Fills views anew, as only their owner may.
    pub(super) fn refresh(&self, function: &Function, views: &[TableName], read_only: bool) -> Result<()> {
        if read_only {
            let message = "cannot execute REFRESH MATERIALIZED VIEW in a read-only transaction";
            return Err(Error::new(ErrorKind::InvalidInput, "25006", message));
        }
        for view in views {
            if !function.security_definer && Access::of(self.cx).role().is_some() {
                let message = format!("must be owner of materialized view {}", view.name);
                return Err(Error::permission_denied(message));
            }
            self.fill(view)?;
        }
        Ok(())
    }

    /// Fills a materialized view anew.
    pub(crate) fn fill(&self, view: &TableName) -> Result<()> {
        for sql in materialized::refresh(&self.schema.catalog, view)? {
            self.conn.sql.execute_batch(&sql).map_err(convert)?;
        }
        Ok(())
    }
}
