//! Functions: kept in the catalog with their text.

use sqlparser::ast::Statement;
use sqlparser::ast::{
    ArgMode, CreateFunction, CreateFunctionBody, DataType, DropBehavior, DropFunction, Expr,
    FunctionBehavior, FunctionCalledOnNull, FunctionReturnType, FunctionSecurity, OperateFunctionArg,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use truststream_kernel::{Result, Type};
use truststream_services::database::{Catalog, Function, Parameter, Returns, TableName};

use super::names::{ident, table_name};
use super::type_names::{type_in_signature, written};
use super::{dependents, fault, planning};

pub(super) fn create(catalog: &mut Catalog, create: &CreateFunction, text: &str) -> Result<()> {
    let name = table_name(&create.name);
    let arguments = create.args.as_deref().unwrap_or_default();
    let parameters: Vec<_> =
        arguments.iter().filter(|arg| arg.mode != Some(ArgMode::Out)).map(parameter).collect();
    let same = |known: &Function| known.name == name && types(&known.parameters) == types(&parameters);
    if catalog.functions.iter().any(same) {
        if !create.or_replace {
            let text = format!("function \"{}\" already exists with same argument types", name.name);
            return Err(fault("42723", text));
        }
        catalog.functions.retain(|known| !same(known));
    }
    let returns = Returns { one_row: planning::one_row(text), ..returns(catalog, create) };
    let mut function = Function {
        variadic: parameters.iter().any(|parameter| parameter.variadic),
        reads_only: matches!(create.behavior, Some(FunctionBehavior::Stable | FunctionBehavior::Immutable)),
        language: create.language.as_ref().map_or("sql".into(), |name| name.value.to_lowercase()),
        body: body(create),
        security_definer: matches!(create.security, Some(FunctionSecurity::Definer)),
        strict: matches!(
            create.called_on_null,
            Some(FunctionCalledOnNull::ReturnsNullOnNullInput | FunctionCalledOnNull::Strict)
        ),
        grants: Vec::new(),
        isolation: None,
        comment: None,
        returns,
        parameters,
        name,
    };
    function.grants = super::defaults::of_function(catalog, &function);
    catalog.functions.push(function);
    Ok(())
}

fn types(parameters: &[Parameter]) -> Vec<&str> {
    parameters.iter().map(|parameter| parameter.type_name.as_str()).collect()
}

fn parameter(argument: &OperateFunctionArg) -> Parameter {
    Parameter {
        name: argument.name.as_ref().map(ident).unwrap_or_default(),
        type_name: spelled(&argument.data_type),
        required: argument.default_expr.is_none(),
        default: argument.default_expr.as_ref().map(ToString::to_string),
        variadic: argument.mode == Some(ArgMode::Variadic),
    }
}

fn returns(catalog: &Catalog, create: &CreateFunction) -> Returns {
    let (data_type, set) = match &create.return_type {
        Some(FunctionReturnType::DataType(data_type)) => (Some(data_type), false),
        Some(FunctionReturnType::SetOf(data_type)) => (Some(data_type), true),
        None => (None, false),
    };
    let out = out_columns(create);
    let type_name = match data_type {
        _ if !out.is_empty() => format!("TABLE({})", out.join(", ")),
        None => "void".into(),
        Some(table @ DataType::Table(_)) => table.to_string(),
        Some(data_type) => spelled(data_type),
    };
    let is_table = matches!(data_type, Some(DataType::Table(_)));
    let is_row = is_table || !out.is_empty() || type_name == "record";
    let table = match data_type {
        Some(DataType::Custom(name, _)) => {
            Some(table_name(name)).filter(|name| catalog.tables.contains_key(name))
        }
        _ => None,
    };
    let is_composite = super::columns_of_type(catalog, &type_name).is_some();
    Returns {
        void: type_name == "void",
        set: set || is_table,
        composite: is_row || is_composite || table.is_some(),
        table,
        type_name,
        one_row: false,
    }
}

/// The columns that `out` and `inout` parameters make of a result.
fn out_columns(create: &CreateFunction) -> Vec<String> {
    let arguments = create.args.as_deref().unwrap_or_default().iter();
    let out = arguments.filter(|arg| matches!(arg.mode, Some(ArgMode::Out | ArgMode::InOut)));
    let column = |(at, arg): (usize, &OperateFunctionArg)| match &arg.name {
        Some(name) => format!("{name} {}", arg.data_type),
        None => format!("column{} {}", at + 1, arg.data_type),
    };
    out.enumerate().map(column).collect()
}

/// A type as it is kept: in lower case and without quotes, but for names that need them.
pub(super) fn spelled(data_type: &DataType) -> String {
    let (text, bare) = (data_type.to_string(), written(data_type));
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.,()[] ".contains(c);
    let needed = text.contains('"') && (!bare.chars().all(plain) || bare.to_lowercase() != bare);
    if needed { text } else { bare.to_lowercase() }
}

/// The table whose row type a name of a type means.
pub fn row_type(catalog: &Catalog, type_name: &str) -> Option<TableName> {
    let parsed = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(type_name)
        .and_then(|mut parser| parser.parse_data_type());
    match parsed.ok()? {
        DataType::Custom(name, arguments) if arguments.is_empty() => {
            Some(table_name(&name)).filter(|name| catalog.tables.contains_key(name))
        }
        _ => None,
    }
}

/// The columns of `table(…)`.
pub fn columns_of_result(catalog: &Catalog, type_name: &str) -> Option<Vec<(String, Type)>> {
    let sql = format!("create function f() returns {type_name} language sql as ''");
    let statements = Parser::parse_sql(&PostgreSqlDialect {}, &sql).ok()?;
    let Some(Statement::CreateFunction(create)) = statements.first() else { return None };
    let Some(FunctionReturnType::DataType(DataType::Table(Some(columns)))) = &create.return_type else {
        return None;
    };
    let ty = |one: &DataType| type_in_signature(catalog, &one.to_string());
    Some(columns.iter().map(|one| (ident(&one.name), ty(&one.data_type))).collect())
}

fn body(create: &CreateFunction) -> Option<String> {
    match create.function_body.as_ref()? {
        CreateFunctionBody::AsBeforeOptions { body, .. } | CreateFunctionBody::AsAfterOptions(body) => {
            match body {
                Expr::Value(value) => value.clone().into_string(),
                other => Some(other.to_string()),
            }
        }
        CreateFunctionBody::Return(value) | CreateFunctionBody::AsReturnExpr(value) => {
            Some(format!("select {value}"))
        }
        CreateFunctionBody::AsReturnSelect(select) => Some(select.to_string()),
        CreateFunctionBody::AsBeginEnd(block) => {
            Some(block.statements.iter().map(ToString::to_string).collect::<Vec<_>>().join(";\n"))
        }
    }
}

pub(super) fn drop(catalog: &mut Catalog, drop: &DropFunction) -> Result<()> {
    let all = catalog.clone();
    for function in &drop.func_desc {
        let name = table_name(&function.name);
        let arguments: Option<Vec<_>> = function
            .args
            .as_ref()
            .map(|arguments| arguments.iter().map(|arg| spelled(&arg.data_type)).collect());
        let before = catalog.functions.len();
        catalog.functions.retain(|known| {
            let same = |given: &Vec<String>| types(&known.parameters) == *given;
            known.name != name || !arguments.as_ref().is_none_or(same)
        });
        if catalog.functions.len() == before && !drop.if_exists {
            return Err(fault("42883", format!("function {}() does not exist", name.name)));
        }
    }
    let names: Vec<_> = drop.func_desc.iter().map(|one| format!("function {}()", one.name)).collect();
    let cascade = drop.drop_behavior == Some(DropBehavior::Cascade);
    dependents::settle(&all, catalog, &names.join(", "), cascade)
}
