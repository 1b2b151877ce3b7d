//! A database whose tenants move one by one: two of them become parts when they are asked for, the
//! second while the first is served by the other side, beside what is no tenant's. A write says whose
//! rows it is about, or nothing.

mod checks;
mod happens;
mod world;

use world::{Shortcut, World};
