create table items (id int primary key, kind text, no int, label text, changed boolean default false);
create function number() returns trigger language plpgsql security definer as $$
declare last int; prefix text := upper(new.kind);
begin
  select coalesce(max(no), 0) into last from items where kind = new.kind;
  new.no := last + 1;
  if last > 0 then prefix := prefix || '''s '; end if;
  new.label := prefix || new.no;
  return new;
end $$;
create trigger number before insert on items for each row execute function number();
create function notice() returns trigger language plpgsql as $$
begin if old is distinct from new then new.changed := true; end if; return new; end $$;
create trigger notice before update on items for each row execute function notice();
insert into items (id, kind) values (1, 'a'); insert into items (id, kind) values (2, 'a');
insert into items (id, kind) values (3, 'b');
update items set label = 'A''s 2' where id = 2; update items set kind = 'c' where id = 3;
