{# The row of label_map for a label: that of the robot itself before that of every robot (`*`).
   Joins two times, so that each label finds one row. #}
{% macro join_label_map(robot, label) %}
left join {{ ref('label_map') }} as own_label
  on own_label.robot_id = {{ robot }} and own_label.label = {{ label }}
left join {{ ref('label_map') }} as any_label
  on any_label.robot_id = '*' and any_label.label = {{ label }}
{% endmacro %}

{# A column of the row that was found. An own row counts as a whole, its empty cells too. #}
{% macro label_map_column(column) %}case when own_label.label is not null then own_label.{{ column }} else any_label.{{ column }} end{% endmacro %}

{# 'a', 'b': a list of the project's variables as SQL. #}
{% macro text_list(values) %}{% for value in values %}'{{ value | replace("'", "''") }}'{{ ', ' if not loop.last }}{% endfor %}{% endmacro %}
