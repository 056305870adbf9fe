{# What databases write in different ways: types, times and JSON. Each macro has one text a dialect;
   `default__` is what most take. jobs/views/generate renders the same macros without dbt. #}

{% macro as_text(value) %}{{ adapter.dispatch('as_text', 'airudder_export')(value) }}{% endmacro %}
{% macro default__as_text(value) %}cast({{ value }} as varchar){% endmacro %}
{% macro bigquery__as_text(value) %}cast({{ value }} as string){% endmacro %}
{% macro spark__as_text(value) %}cast({{ value }} as string){% endmacro %}
{% macro clickhouse__as_text(value) %}toString({{ value }}){% endmacro %}

{% macro as_int(value) %}{{ adapter.dispatch('as_int', 'airudder_export')(value) }}{% endmacro %}
{% macro default__as_int(value) %}cast({{ value }} as bigint){% endmacro %}
{% macro bigquery__as_int(value) %}cast({{ value }} as int64){% endmacro %}
{% macro clickhouse__as_int(value) %}toInt64({{ value }}){% endmacro %}

{% macro as_date(value) %}{{ adapter.dispatch('as_date', 'airudder_export')(value) }}{% endmacro %}
{% macro default__as_date(value) %}cast({{ value }} as date){% endmacro %}
{% macro clickhouse__as_date(value) %}toDate32({{ value }}){% endmacro %}

{# A share. Null, never 0, when the denominator is 0 or null. #}
{% macro ratio(part, whole) %}{{ adapter.dispatch('ratio', 'airudder_export')(part, whole) }}{% endmacro %}
{% macro default__ratio(part, whole) %}cast({{ part }} as double precision) / nullif({{ whole }}, 0){% endmacro %}
{% macro duckdb__ratio(part, whole) %}cast({{ part }} as double) / nullif({{ whole }}, 0){% endmacro %}
{% macro bigquery__ratio(part, whole) %}cast({{ part }} as float64) / nullif({{ whole }}, 0){% endmacro %}
{% macro spark__ratio(part, whole) %}cast({{ part }} as double) / nullif({{ whole }}, 0){% endmacro %}
{% macro clickhouse__ratio(part, whole) %}toFloat64({{ part }}) / nullif({{ whole }}, 0){% endmacro %}
