//! Functions computed in process, of a value at hand: for engines that have no such functions themselves.
//!
//! A function is read as a whole before there is a value, so that what can't be computed is known when it is
//! declared. It means exactly what PostgreSQL means, or it is refused ([`Unsupported`]).

mod calls;
mod convert;
mod domains;
mod node;
mod operators;
mod read;

#[cfg(test)]
mod tests;

use truststream_kernel::{Result, Type, Value};
use truststream_services::database::{Catalog, Function};

use crate::expression::{Unsupported, parameter_type};
use node::Node;
use read::Reader;

/// A function of one value, ready to be computed.
pub struct Computed {
    node: Node,
    ty: Type,
}

impl std::fmt::Debug for Computed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Computed").field("ty", &self.ty).finish_non_exhaustive()
    }
}

impl Computed {
    /// Reads a function; `role` is who calls it, where grants on functions hold for them.
    ///
    /// # Errors
    /// What can't be computed in process; 42501 for a function that is closed to the caller.
    pub fn of(catalog: &Catalog, function: &Function, role: Option<&str>) -> Result<Self, Unsupported> {
        let [parameter] = function.parameters.as_slice() else {
            return Err(Unsupported::new(&function.name, "a function of other than one value"));
        };
        let given = read::Typed::known(Node::Argument(0), parameter_type(catalog, parameter));
        let found = Reader::new(catalog, role).call(function, vec![given])?;
        Ok(Computed { node: found.node, ty: found.ty })
    }

    /// The type of what it gives.
    pub fn ty(&self) -> &Type {
        &self.ty
    }

    /// What it makes of a value.
    ///
    /// # Errors
    /// PostgreSQL's, such as 22P02 for a text that is no number.
    pub fn value(&self, given: Value) -> Result<Value> {
        self.node.value(&[given])
    }
}
