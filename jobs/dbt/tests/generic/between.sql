{# The column lies between the two; null passes. #}
{% test between(model, column_name, low=none, high=none) %}
select {{ column_name }}
from {{ model }}
where 1 = 0
  {% if low is not none %}or {{ column_name }} < {{ low }}{% endif %}
  {% if high is not none %}or {{ column_name }} > {{ high }}{% endif %}
{% endtest %}
