{{/* docs/exit-codes.md: what a pod's end means. */}}
{{- define "airudder.failures" -}}
podFailurePolicy:
  rules:
    # A drained node is nobody's fault, and counts as no try.
    - action: Ignore
      onPodConditions:
        - {type: DisruptionTarget, status: "True"}
    # Bad usage, rejects, a bug, refused credentials, wrong settings: another try ends alike. A person is needed.
    - action: FailJob
      onExitCodes: {containerName: export, operator: In, values: [64, 65, 70, 77, 78]}
    # 69, 74 and 75 pass with time, and so does a pod killed for want of memory: tried again, up to backoffLimit.
{{- end }}
