{# The entries of a JSON object with free keys, one row each: `call_key`, `signal_key`, `signal_value`.
   Values are text; objects and arrays are their JSON, and null stays null. #}
{% macro json_entries(relation, column) %}{{ adapter.dispatch('json_entries', 'airudder_export')(relation, column) }}{% endmacro %}

{% macro default__json_entries(relation, column) %}{{ exceptions.raise_compiler_error("json_entries: add a macro <adapter>__json_entries for this warehouse") }}{% endmacro %}

{% macro duckdb__json_entries(relation, column) %}
select c.call_key, e.key as signal_key, e.value ->> '$' as signal_value
from {{ relation }} as c, json_each(c.{{ column }}) as e
{% endmacro %}

{% macro snowflake__json_entries(relation, column) %}
select c.call_key, e.key as signal_key, cast(e.value as varchar) as signal_value
from {{ relation }} as c, lateral flatten(input => parse_json(c.{{ column }})) as e
{% endmacro %}

{% macro bigquery__json_entries(relation, column) %}
select
  c.call_key,
  signal_key,
  coalesce(json_value(c.entries[signal_key]), to_json_string(c.entries[signal_key])) as signal_value
from (
  select call_key, parse_json({{ column }}, wide_number_mode => 'round') as entries
  from {{ relation }}
  where {{ column }} is not null
) as c
cross join unnest(json_keys(c.entries, 1)) as signal_key
where json_type(c.entries[signal_key]) <> 'null'
{% endmacro %}

{% macro postgres__json_entries(relation, column) %}
select c.call_key, e.key as signal_key, e.value as signal_value
from {{ relation }} as c
cross join lateral jsonb_each_text(cast(c.{{ column }} as jsonb)) as e(key, value)
{% endmacro %}

{% macro redshift__json_entries(relation, column) %}
select
  c.call_key,
  cast(signal_key as varchar) as signal_key,
  case when is_varchar(entry) then cast(entry as varchar) else json_serialize(entry) end as signal_value
from (
  select call_key, json_parse({{ column }}) as entries
  from {{ relation }}
  where {{ column }} is not null
) as c, unpivot c.entries as entry at signal_key
{% endmacro %}

{% macro spark__json_entries(relation, column) %}
select c.call_key, signal_key, signal_value
from {{ relation }} as c
lateral view explode(from_json(c.{{ column }}, 'map<string,string>')) e as signal_key, signal_value
{% endmacro %}

{% macro clickhouse__json_entries(relation, column) %}
select
  call_key,
  entry.1 as signal_key,
  multiIf(entry.2 = 'null', null, startsWith(entry.2, '"'), JSONExtractString(entry.2), entry.2) as signal_value
from (
  select call_key, arrayJoin(JSONExtractKeysAndValuesRaw(ifNull({{ column }}, '{}'))) as entry
  from {{ relation }}
) as c
{% endmacro %}
