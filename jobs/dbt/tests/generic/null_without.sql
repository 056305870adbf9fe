{# A rate is null exactly when its denominator is 0 or null. #}
{% test null_without(model, column_name, denominator) %}
select {{ column_name }}
from {{ model }}
where ({{ column_name }} is null and {{ denominator }} <> 0)
   or ({{ column_name }} is not null and coalesce({{ denominator }}, 0) = 0)
{% endtest %}
