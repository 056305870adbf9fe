{# One column for the key of a call, of which tables joined to it have many rows. #}
{% macro call_key() %}task_id || '/' || {{ as_text('detail_index') }}{% endmacro %}
