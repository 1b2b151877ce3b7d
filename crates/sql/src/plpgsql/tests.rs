//! Bodies read.

use super::*;

#[test]
fn simple_bodies_are_read() {
    let body = "begin
      -- why
      if new.a is null then new.a := case when new.b then 1 else 2 end; elsif new.a < 0 then
        raise exception 'no % here', new.a using errcode = 'check_violation';
      end if;
      insert into log (a) values (new.a);
      return new;
    end;";
    let steps = read(body).unwrap().steps;
    assert_eq!(steps.len(), 3);
    assert_eq!(steps[1], Step::Sql("insert into log (a) values (new.a)".into()));
    assert_eq!(steps[2], Step::Return("new".into()));
    let Step::If { branches, otherwise } = &steps[0] else { panic!("{steps:?}") };
    assert!(otherwise.is_empty());
    assert_eq!(branches[0].0, "new.a is null");
    let raised = Step::Raise {
        code: "23514".into(),
        message: "no % here".into(),
        arguments: vec!["new . a".into()],
        options: Vec::new(),
    };
    assert_eq!(branches[1].1, [raised]);
}

#[test]
fn what_is_not_simple_is_named_with_its_line() {
    let fault = read("begin\n  new.a := 1;\n  for i in 1..3 loop null; end loop;\nend").unwrap_err();
    assert_eq!((fault.line, fault.text.as_str()), (3, "\"for\" in a body of plpgsql"));
    let fault = read("declare r record; begin return new; end").unwrap_err();
    assert_eq!(fault.text, "a variable that is a row");
}

#[test]
fn variables_are_declared_set_and_filled() {
    let body = "declare a int; b text := 'x' || new.t; c timestamp with time zone default now();
      begin
        select count(*) into a from t;
        select 1 from t where n > a limit 1 into b;
        insert into t (n) values (a) returning id into a;
        a := a + 1;
        return a;
      end";
    let body = read(body).unwrap();
    let names: Vec<_> =
        body.variables.iter().map(|one| (one.name.as_str(), one.type_name.as_str())).collect();
    assert_eq!(names, [("a", "int"), ("b", "text"), ("c", "timestamp with time zone")]);
    assert_eq!(body.variables[1].value.as_deref(), Some("'x' || new.t"));
    let into = |variable: &str, sql: &str| Step::Into {
        variables: vec![variable.into()],
        sql: sql.into(),
        strict: false,
    };
    assert_eq!(body.steps[0], into("a", "select count(*) from t"));
    assert_eq!(body.steps[1], into("b", "select 1 from t where n > a limit 1"));
    assert_eq!(body.steps[2], into("a", "insert into t (n) values (a) returning id"));
    assert_eq!(body.steps[3], Step::Set { variable: "a".into(), value: "a + 1".into() });
}

#[test]
fn what_only_reads_becomes_one_expression() {
    let plain = plain(
        "declare n int; begin select count(*) from t where t.u = who into n;
        if n = 0 then return 'none'; end if; return n || '!'; end",
    )
    .unwrap();
    assert_eq!(
        plain,
        "select case when cast((select count(*) from t where t.u = who limit 1) as int) = 0 then 'none' \
         else cast((select count(*) from t where t.u = who limit 1) as int) || '!' end"
    );
}

#[test]
fn what_is_random_is_not_read_twice() {
    let fault =
        plain("declare n uuid := gen_random_uuid(); begin return n::text || n::text; end").unwrap_err();
    assert!(fault.text.contains("random"), "{fault:?}");
}

#[test]
fn guards_fail_before_anything_is_written() {
    let body = "begin
        if auth.uid() is null then raise exception 'not % signed in', who using errcode = '42501'; end if;
        insert into t (a) values (1);
      end";
    let guard = "select case when auth.uid() is null then ts_raise('42501', 'not ' || coalesce((who)::text, '<NULL>') \
                 || ' signed in') else null::text end";
    assert_eq!(plain(body).unwrap(), format!("{guard};\ninsert into t (a) values (1)"));
    let returned = plain("begin if n < 0 then raise exception 'no'; end if; return n; end").unwrap();
    assert_eq!(returned, "select case when n < 0 then ts_raise('P0001', 'no') else n end");
}

#[test]
fn programs_are_read_whole() {
    let body = "declare r record; n t.a%type := 0; begin
        <<outer>> for r in select a from t order by a loop
          continue outer when r.a is null;
          for i in reverse 10..1 by 2 loop n := n + i; exit when n > 9; end loop;
          while n < 3 loop n := n + 1; end loop;
          case n when 1, 2 then null; else raise sqlstate 'PT402' using message = 'pay', detail = r.a; end case;
        end loop;
        get diagnostics n = row_count;
        begin return next n; end;
      end";
    assert_eq!(read(body).unwrap_err().line, 1);
    let body = read_whole(body).unwrap();
    assert_eq!(body.variables[1].type_name, "t.a%type");
    let Step::Rows { label, variables, sql, steps } = &body.steps[0] else { panic!("{body:?}") };
    assert_eq!((label.as_deref(), variables.as_slice()), (Some("outer"), &["r".to_owned()][..]));
    assert_eq!((sql.as_str(), steps.len()), ("select a from t order by a", 4));
    let Step::Range { reverse, ends, .. } = &steps[1] else { panic!("{steps:?}") };
    assert_eq!((*reverse, ends.join(" ").as_str()), (true, "10 1 2"));
    let Step::If { branches, otherwise } = &steps[3] else { panic!("{steps:?}") };
    assert_eq!(branches[0].0, "(n) in (1, 2)");
    let Step::Raise { code, options, .. } = &otherwise[0] else { panic!("{otherwise:?}") };
    assert_eq!((code.as_str(), options.len()), ("PT402", 2));
    assert_eq!(body.steps[1], Step::RowCount("n".into()));
}

#[test]
fn handlers_are_read_with_what_they_catch() {
    let body = "begin
        begin
          insert into t values (1);
        exception when unique_violation or sqlstate '22012' then null;
          when others then raise;
        end;
        get diagnostics n = row_count;
      exception when data_exception then
        get stacked diagnostics a = message_text, b = pg_exception_hint;
      end";
    assert_eq!(read(body).unwrap_err().text, "\"begin\" in a body of plpgsql");
    let body = read_whole(body).unwrap();
    let Step::Block(inner) = &body.steps[0] else { panic!("{body:?}") };
    let state = |code: &str| Condition::State(code.into());
    assert_eq!(inner.handlers[0].conditions, [state("23505"), state("22012")]);
    assert_eq!(inner.handlers[1].conditions, [Condition::Others]);
    let Step::Raise { options, .. } = &inner.handlers[1].steps[0] else { panic!("{inner:?}") };
    assert_eq!(options[1], ("message".into(), "\"sqlerrm\"".into()));
    assert_eq!(body.handlers[0].conditions, [state("22000")]);
    let Step::Block(told) = &body.handlers[0].steps[0] else { panic!("{body:?}") };
    let set = |variable: &str, name: &str| Step::Set {
        variable: variable.into(),
        value: format!("coalesce(\"{name}\", '')"),
    };
    assert_eq!(told.steps, [set("a", "sqlerrm"), set("b", "sqlerrm hint")]);
    for (body, fault) in [
        ("begin raise; end", "\"raise\" of nothing outside of a handler"),
        ("begin null; exception when no_such_thing then null; end", "a handler of \"no_such_thing\""),
        ("begin null; exception end", "a handler of no exception"),
        (
            "begin null; exception when others then get stacked diagnostics a = table_name; end",
            "\"get diagnostics\" of table_name",
        ),
    ] {
        assert_eq!(read_whole(body).unwrap_err().text, fault);
    }
}

#[test]
fn texts_that_are_known_are_executed() {
    let body = "declare n int; begin
        execute 'delete from ' || quote_ident('T') || ' where a = $1 or b = $2' using n + 1, now();
        execute format('select %1$L, 7 %% %s, %4$L from %3$I', 'it''s', 2, 'a b', n) into strict n;
        for n in execute $q$select 1;$q$ loop null; end loop;
        return query execute 'select $1' using n;
      end";
    assert_eq!(read(body).unwrap_err().text, "\"execute\"");
    let steps = read_whole(body).unwrap().steps;
    let Step::Execute { values, step } = &steps[0] else { panic!("{steps:?}") };
    assert_eq!(*values, [("$1".into(), "n + 1".into()), ("$2".into(), "now ( )".into())]);
    assert_eq!(**step, Step::Sql("delete from \"T\" where a = \"$1\" or b = \"$2\"".into()));
    let Step::Execute { values, step } = &steps[1] else { panic!("{steps:?}") };
    assert_eq!(*values, [("%1".into(), "(n)::text".into())]);
    let sql = "select 'it''s', 7 % 2, \"%1\" from \"a b\"";
    assert_eq!(**step, Step::Into { variables: vec!["n".into()], sql: sql.into(), strict: true });
    let Step::Execute { step, .. } = &steps[2] else { panic!("{steps:?}") };
    assert!(matches!(&**step, Step::Rows { sql, .. } if sql == "select 1"));
    let Step::Execute { values, step } = &steps[3] else { panic!("{steps:?}") };
    assert_eq!(*values, [("$1".into(), "n".into())]);
    assert_eq!(**step, Step::ReturnQuery("select \"$1\"".into()));
    for (body, fault) in [
        (
            "begin execute 'delete from ' || t; end",
            "\"execute\" of a text that is put together while it runs",
        ),
        (
            "begin execute format('delete from a where b = ''%L''', t); end",
            "\"execute\" of a text that is put together while it runs",
        ),
        ("begin execute 'delete from a; delete from b'; end", "\"execute\" of several statements"),
    ] {
        assert_eq!(read_whole(body).unwrap_err().text, fault);
    }
}
