//! Moving parts by hand.

use truststream_kernel::{Error, ErrorKind, Result};

use super::conduct::no_such_part;
use super::wishes::PartWish;
use crate::machine::Division;
use crate::switcher::nothing_committed;
use crate::{Record, Switcher};

impl Switcher {
    /// Has a part moved to the target, or all that are left and then the rest; it is done while the
    /// switch goes on.
    ///
    /// # Errors
    /// When no switch goes part by part at this moment, or there is no such part.
    pub async fn move_part(&self, part: Option<&str>) -> Result<Record> {
        match part {
            Some(part) => self.wish(part, PartWish::Move).await,
            None => self.wish_of(|_| Ok(PartWish::All)).await,
        }
    }

    /// Has a part return to the side that served before. Parts then move only when asked to.
    ///
    /// # Errors
    /// As [`Switcher::move_part`].
    pub async fn part_back(&self, part: &str) -> Result<Record> {
        self.wish(part, PartWish::Back).await
    }

    async fn wish(&self, part: &str, wish: impl FnOnce(String) -> PartWish) -> Result<Record> {
        self.wish_of(|division| {
            if !division.can_have(part) {
                return Err(no_such_part(part, division));
            }
            Ok(wish(part.to_owned()))
        })
        .await
    }

    async fn wish_of(&self, wish: impl FnOnce(&Division) -> Result<PartWish>) -> Result<Record> {
        let division = self.shared.routes.stored().await?.route.division;
        let goes_on = self.is_on_its_way().await;
        let Some(division) = division.filter(|_| goes_on) else {
            let message = "no switch goes part by part at this moment";
            return Err(Error::new(ErrorKind::NotFound, "BACKEND_011", message)
                .with_hint("`truststream switch status` shows where the latest one stands"));
        };
        let wish = wish(&division)?;
        let record = self.shared.records.latest().await?.ok_or_else(nothing_committed)?;
        self.shared.wish(record.id, wish).await?;
        Ok(record)
    }
}
