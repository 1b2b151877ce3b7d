-- What fires when rows are written, which a switch must not cause once more.

create table audit (id bigint generated always as identity primary key, what text not null);
create table shouts (id bigint primary key, word text not null);

create function loud() returns trigger language plpgsql as $$
begin
  new.word := upper(new.word) || '!';
  return new;
end
$$;
create trigger shouts_loud before insert or update on shouts for each row execute function loud();

create function noted() returns trigger language plpgsql security definer as $$
begin
  insert into audit (what) values ('shout ' || new.id);
  return new;
end
$$;
create trigger shouts_noted after insert on shouts for each row execute function noted();
