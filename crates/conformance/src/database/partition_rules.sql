create table shares (
  id int not null,
  owner uuid not null,
  kind text not null,
  amount int not null default 0,
  primary key (id, kind)
) partition by list (kind);
create table shares_open partition of shares for values in ('open');
create table shares_shut partition of shares for values in ('shut');
alter table shares enable row level security;
alter table shares_shut enable row level security;
create policy own on shares using (owner = auth.uid()) with check (owner = auth.uid());
grant select, insert, update, delete on shares, shares_open, shares_shut to authenticated;

create function counted() returns text language sql stable as $$
  select (select count(*) from shares)::text || ' ' || (select count(*) from shares_open)::text
    || ' ' || (select count(*) from shares_shut)::text
$$;
create function counted_by_its_owner() returns text language sql stable security definer as $$
  select (select count(*) from shares)::text || ' ' || (select count(*) from shares_shut)::text
$$;
create function put_open(given int, whose uuid) returns void language sql as $$
  insert into shares_open values (given, whose, 'open')
$$;
create function put_shut(given int, whose uuid) returns void language sql as $$
  insert into shares_shut values (given, whose, 'shut')
$$;
create function lift_open() returns void language sql as $$ update shares_open set amount = amount + 1 $$;
create function lift_shut() returns void language sql as $$ update shares_shut set amount = amount + 1 $$;
create function clear_open(below int) returns void language sql as $$ delete from shares_open where id < below $$;
create function clear_shut() returns void language sql as $$ delete from shares_shut $$;

create function stocked(first int, last int, whose uuid) returns text language plpgsql as $$
declare
  changed int;
  summed int;
begin
  for n in first..last loop
    insert into shares_open (id, owner, kind) values (n, whose, 'open');
  end loop;
  update shares_open set amount = 7 where id = last;
  get diagnostics changed = row_count;
  delete from shares_open where id = first;
  if not found then
    raise exception 'nothing to delete';
  end if;
  select sum(s.amount) into summed from shares_open s where s.id <= last;
  return changed || ' ' || summed;
end $$;
create function strayed(given int, to_kind text) returns text language plpgsql as $$
begin
  insert into shares_open (id, owner, kind, amount) values (given, auth.uid(), 'open', 3);
  update shares_open set kind = to_kind where id = given;
  return to_kind;
end $$;
create function hidden(whose uuid) returns int language plpgsql as $$
declare
  changed int;
begin
  update shares_shut set owner = whose;
  get diagnostics changed = row_count;
  return changed;
end $$;
