create table things_rest partition of things default;
grant insert on readings_rest to authenticated;

create function put_january(given int, on_day date) returns void language sql as $$
  insert into readings_january (id, day) values (given, on_day)
$$;
create function put_rest(given int, on_day date) returns void language sql as $$
  insert into readings_rest (id, day) values (given, on_day)
$$;
create function move_january(given int, on_day date) returns setof int language sql as $$
  update readings_january set day = on_day where id = given returning id
$$;
create function merge_january(given int, on_day date, amount int) returns setof int language sql as $$
  insert into readings_january (id, day, value) values (given, on_day, amount)
  on conflict (id, day) do update set value = excluded.value
  returning value
$$;
create function keep_january(given int, on_day date) returns void language sql as $$
  insert into readings_january (id, day) values (given, on_day) on conflict (id, day) do nothing
$$;
create function clear_january(below int) returns void language sql as $$
  delete from readings_january where readings_january.id < below
$$;
create function put_a(given text) returns void language sql as $$ insert into things_a values (given) $$;
create function put_other(given text) returns void language sql as $$ insert into things_rest values (given) $$;

create table logs (id int not null, level int, note text) partition by list (level);
create table logs_low partition of logs for values in (1, 2);
create table logs_high partition of logs for values in (3);
create function noted() returns trigger language plpgsql as $$
begin
  new.note := coalesce(new.note, '') || '!';
  return new;
end $$;
create trigger noted before insert or update on logs for each row execute function noted();
create function put_low(given int, of_level int) returns void language sql as $$
  insert into logs_low values (given, of_level, 'new')
$$;
create function lift_low(given int, to_level int) returns void language sql as $$
  update logs_low set level = to_level where id = given
$$;
