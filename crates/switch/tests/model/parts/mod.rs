//! A database of two parts, one of which moves by itself: every order of events around the stored
//! state, with writes to both parts, somebody who follows the change feed, the part's way back, the
//! cut-over of the rest and the way back of everything.

mod act;
mod checks;
mod reader;
mod world;

use world::{Shortcut, World};
