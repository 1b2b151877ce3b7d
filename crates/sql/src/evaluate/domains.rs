//! Values of domains, which meet the rules of theirs.

use sqlparser::ast::DataType;
use truststream_kernel::Type;
use truststream_services::database::{Check, Domain, TableName};

use super::node::Node;
use super::read::{Reader, Typed};
use crate::expression::{Unsupported, parse};
use crate::schema::{breach, enum_name, enum_table, with_column};

impl<'c> Reader<'c> {
    /// The domain that a type's name means.
    pub(super) fn domain_meant(&self, data_type: &DataType) -> Option<(&'c TableName, &'c Domain)> {
        let DataType::Custom(name, arguments) = data_type else { return None };
        let domains = &self.catalog.domains;
        let name = self.meant(name, |name| domains.contains_key(name));
        domains.get_key_value(&name).filter(|_| arguments.is_empty())
    }

    /// The domain that a type is by the name that the catalog has of it.
    pub(super) fn domain_named(&self, type_name: &str) -> Option<(&'c TableName, &'c Domain)> {
        self.catalog.domains.get_key_value(&enum_table(&type_name.replace('"', "")))
    }

    /// A value as one of a domain.
    pub(super) fn of_domain(
        &mut self,
        mut value: Typed,
        (name, domain): (&TableName, &Domain),
    ) -> Result<Typed, Unsupported> {
        if let Some(below) = self.domain_named(&domain.base) {
            value = self.of_domain(value, below)?;
        }
        let (shown, ty) = (enum_name(name), value.ty.clone());
        if domain.not_null {
            let broken = Node::IsNull(Box::new(Node::Argument(0)));
            let message = format!("domain {shown} does not allow null values");
            value = ruled(value, broken, "23502", message);
        }
        let mut checks: Vec<&Check> = domain.checks.iter().collect();
        checks.sort_by(|one, other| one.name.cmp(&other.name));
        for check in checks {
            let condition = self.about_value(&ty, |reader| {
                reader.condition(&parse(&with_column(&check.expression, "value"))?)
            })?;
            let message = breach(name, &check.name);
            value = ruled(value, Node::Not(Box::new(condition)), "23514", message);
        }
        Ok(value)
    }

    /// Reads something in which `value` is the one name.
    fn about_value<T>(
        &mut self,
        ty: &Type,
        read: impl FnOnce(&mut Self) -> Result<T, Unsupported>,
    ) -> Result<T, Unsupported> {
        self.enter(vec![("value".to_owned(), ty.clone())]);
        let done = read(self);
        self.leave();
        done
    }
}

fn ruled(value: Typed, broken: Node, code: &'static str, message: String) -> Typed {
    let ty = value.ty;
    let node = Node::Rule { value: Box::new(value.node), broken: Box::new(broken), code, message };
    Typed::known(node, ty)
}
