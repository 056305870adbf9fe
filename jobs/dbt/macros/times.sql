{# The wall clock of `source_timezone` for a moment in UTC, as a timestamp without a zone. #}
{% macro local_time(moment) %}{{ adapter.dispatch('local_time', 'airudder_export')(moment) }}{% endmacro %}
{% macro default__local_time(moment) %}({{ moment }} at time zone '{{ var('source_timezone') }}'){% endmacro %}
{% macro duckdb__local_time(moment) %}timezone({{ zone_text() }}, {{ moment }}){% endmacro %}
{% macro snowflake__local_time(moment) %}convert_timezone('UTC', '{{ var('source_timezone') }}', cast({{ moment }} as timestamp_ntz)){% endmacro %}
{% macro bigquery__local_time(moment) %}datetime({{ moment }}, '{{ var('source_timezone') }}'){% endmacro %}
{% macro redshift__local_time(moment) %}convert_timezone('UTC', '{{ var('source_timezone') }}', cast({{ moment }} as timestamp)){% endmacro %}
{% macro spark__local_time(moment) %}convert_timezone('{{ var('source_timezone') }}', cast({{ moment }} as timestamp_ntz)){% endmacro %}
{% macro clickhouse__local_time(moment) %}toDateTime64(toString(toTimeZone({{ moment }}, '{{ var('source_timezone') }}')), 6, 'UTC'){% endmacro %}

{# Generated views take the zone from a variable of the connection in place of the project. #}
{% macro zone_text() %}{% if var('zone_expression', none) %}{{ var('zone_expression') }}{% else %}'{{ var('source_timezone') }}'{% endif %}{% endmacro %}

{# A local time as the vendor writes it, null when it is none. #}
{% macro text_time(value) %}{{ adapter.dispatch('text_time', 'airudder_export')(value) }}{% endmacro %}
{% macro default__text_time(value) %}try_cast({{ value }} as timestamp){% endmacro %}
{% macro snowflake__text_time(value) %}try_cast({{ value }} as timestamp_ntz){% endmacro %}
{% macro bigquery__text_time(value) %}safe_cast({{ value }} as datetime){% endmacro %}
{% macro postgres__text_time(value) %}case when {{ value }} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?$' then cast({{ value }} as timestamp) end{% endmacro %}
{% macro spark__text_time(value) %}try_cast({{ value }} as timestamp_ntz){% endmacro %}
{% macro clickhouse__text_time(value) %}parseDateTime64BestEffortOrNull({{ value }}, 6, 'UTC'){% endmacro %}

{# Whole days from one date to another. #}
{% macro days_between(first, last) %}{{ adapter.dispatch('days_between', 'airudder_export')(first, last) }}{% endmacro %}
{% macro default__days_between(first, last) %}datediff(day, {{ first }}, {{ last }}){% endmacro %}
{% macro duckdb__days_between(first, last) %}date_diff('day', {{ first }}, {{ last }}){% endmacro %}
{% macro bigquery__days_between(first, last) %}date_diff({{ last }}, {{ first }}, day){% endmacro %}
{% macro postgres__days_between(first, last) %}({{ last }} - {{ first }}){% endmacro %}
{% macro redshift__days_between(first, last) %}datediff(day, {{ first }}, {{ last }}){% endmacro %}
{% macro clickhouse__days_between(first, last) %}dateDiff('day', {{ first }}, {{ last }}){% endmacro %}

{# Seconds from one moment to another. The vendor's times are whole seconds. #}
{% macro seconds_between(first, last) %}{{ adapter.dispatch('seconds_between', 'airudder_export')(first, last) }}{% endmacro %}
{% macro default__seconds_between(first, last) %}datediff(second, {{ first }}, {{ last }}){% endmacro %}
{% macro duckdb__seconds_between(first, last) %}date_sub('second', {{ first }}, {{ last }}){% endmacro %}
{% macro bigquery__seconds_between(first, last) %}timestamp_diff({{ last }}, {{ first }}, second){% endmacro %}
{% macro postgres__seconds_between(first, last) %}cast(trunc(extract(epoch from ({{ last }} - {{ first }}))) as bigint){% endmacro %}
{% macro redshift__seconds_between(first, last) %}datediff(second, {{ first }}, {{ last }}){% endmacro %}
{% macro spark__seconds_between(first, last) %}timestampdiff(second, {{ first }}, {{ last }}){% endmacro %}
{% macro clickhouse__seconds_between(first, last) %}dateDiff('second', {{ first }}, {{ last }}){% endmacro %}

{# 1 is Monday. Counted from a Monday, as no two databases number weekdays alike. #}
{% macro iso_weekday(day) %}(mod(mod({{ days_between(monday(), day) }}, 7) + 7, 7) + 1){% endmacro %}
{% macro monday() %}{{ as_date("'1970-01-05'") }}{% endmacro %}

{% macro hour_of(value) %}{{ adapter.dispatch('hour_of', 'airudder_export')(value) }}{% endmacro %}
{% macro default__hour_of(value) %}cast(extract(hour from {{ value }}) as integer){% endmacro %}
{% macro bigquery__hour_of(value) %}extract(hour from {{ value }}){% endmacro %}
{% macro clickhouse__hour_of(value) %}toHour({{ value }}){% endmacro %}

{# The first day of a date's day, week (from Monday) or month. #}
{% macro period_start(day, period) %}
{%- if period not in ['day', 'week', 'month'] %}{{ exceptions.raise_compiler_error("label_period is day, week or month") }}{% endif -%}
{{ adapter.dispatch('period_start', 'airudder_export')(day, period) }}
{%- endmacro %}
{% macro default__period_start(day, period) %}cast(date_trunc('{{ period }}', {{ day }}) as date){% endmacro %}
{% macro bigquery__period_start(day, period) %}date_trunc({{ day }}, {{ 'isoweek' if period == 'week' else period }}){% endmacro %}
{% macro clickhouse__period_start(day, period) %}{{ day if period == 'day' else ('toMonday(' ~ day ~ ')' if period == 'week' else 'toStartOfMonth(' ~ day ~ ')') }}{% endmacro %}
