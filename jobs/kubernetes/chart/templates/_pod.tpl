{{/* What every pod that runs the exporter has. Takes {root, args, pulls, env}. */}}
{{- define "airudder.pod" -}}
{{- $v := .root.Values -}}
# Never: a container that is started again in its pod never shows podFailurePolicy how it ended.
restartPolicy: Never
# SIGTERM ends a run within seconds, with everything complete committed; a slow bucket may need longer.
terminationGracePeriodSeconds: 60
automountServiceAccountToken: {{ if $v.serviceAccountName }}true{{ else }}false{{ end }}
{{- with $v.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  # Gives the secret's files to this group: they are root's.
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
containers:
  - name: export
    image: {{ $v.image }}
    args: {{ .args }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    env:
      - {name: AIRUDDER_JOB, value: /etc/airudder/job.toml}
      - {name: AIRUDDER_APP_KEY_FILE, value: /run/secrets/airudder/app_key}
      - {name: AIRUDDER_APP_SECRET_FILE, value: /run/secrets/airudder/app_secret}
      # A user other than root reads a secret by its group, so its mode is 0440 (0400 would be root's alone).
      # The exporter refuses such files unless told that nobody else is there: here, nobody is.
      - {name: AIRUDDER_ALLOW_OPEN_KEY_FILES, value: "true"}
      {{- if and .pulls $v.pace.enabled }}
      # One pace for all pods that pull, the night's and a backfill's; when Redis does not answer, each takes its part of it.
      - name: AIRUDDER_RATE_SHARED
        valueFrom:
          secretKeyRef: {name: {{ $v.pace.secret }}, key: url}
      - {name: AIRUDDER_RATE_PROCESSES, value: {{ add1 $v.backfill.pods | quote }}}
      {{- end }}
      {{- with .env }}
      {{- . | nindent 6 }}
      {{- end }}
    {{- with $v.storeSecret }}
    envFrom:
      - secretRef: {name: {{ . }}}
    {{- end }}
    resources:
      {{- toYaml $v.resources | nindent 6 }}
    volumeMounts:
      - {name: job, mountPath: /etc/airudder, readOnly: true}
      - {name: keys, mountPath: /run/secrets/airudder, readOnly: true}
      - {name: spool, mountPath: /tmp}
      {{- if $v.lakeClaim }}
      - {name: lake, mountPath: /lake}
      {{- end }}
volumes:
  - name: job
    configMap: {name: airudder-job}
  - name: keys
    projected:
      defaultMode: 0440
      sources:
        - secret: {name: {{ $v.secret }}}
  - name: spool
    emptyDir: {sizeLimit: {{ $v.spool }}}
  {{- if $v.lakeClaim }}
  - name: lake
    persistentVolumeClaim: {claimName: {{ $v.lakeClaim }}}
  {{- end }}
{{- end }}
