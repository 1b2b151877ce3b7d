create table people (id int primary key, name text);
create table orgs (id bigint generated always as identity (start with 7) primary key, name text);
create table members (org bigint references orgs, who int, role text default 'owner');
create table log (id serial primary key, op text, tbl text, was jsonb, now jsonb);
create function settle() returns trigger language plpgsql security definer as $$
declare org_id bigint; first boolean;
begin
  insert into orgs (name) values (new.name || ' & co') returning id into org_id;
  select count(*) = 0 into first from members;
  insert into members (org, who) values (org_id, new.id);
  if first then
    update members set role = 'founder' where who = new.id;
  elsif exists (select 1 from members where who = new.id and org = org_id) then
    insert into members values (org_id, new.id, 'guest');
  end if;
  return new;
end $$;
create trigger settle after insert on people for each row execute function settle();
create function tell() returns trigger language plpgsql security definer as $$
begin
  if tg_op = 'DELETE' then
    insert into log (op, tbl, was) values (tg_op, tg_table_name, to_jsonb(old));
    return old;
  end if;
  insert into log (op, tbl, was, now) values (tg_op, tg_table_name, to_jsonb(old), to_jsonb(new));
  return new;
end $$;
create trigger tell after insert or update or delete on people for each row execute function tell();
insert into people values (1, 'ann'), (2, 'bob'); update people set name = 'eve' where id = 2;
delete from people where id = 1;
