-- Sets every sequence that a column takes its values from past the largest value present.
do $$
declare item record; largest bigint; reached bigint;
begin
  for item in
    select format('%I.%I', n.nspname, c.relname) as relation, a.attname as column_name,
           pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname) as sequence
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
      and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'truststream')
      and format('%I.%I', n.nspname, c.relname) <> all ({foreign})
      and (a.attidentity <> '' or a.atthasdef)
      and pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname) is not null
  loop
    execute format('select max(%I)::bigint from %s', item.column_name, item.relation) into largest;
    execute format('select case when is_called then last_value else 0 end from %s', item.sequence) into reached;
    if largest is not null and largest + {head_room} > reached then
      perform setval(item.sequence::regclass, greatest(largest + {head_room}, 1));
    end if;
  end loop;
end $$;
