# What Test-Driver.ps1 expects of this driver. It follows from the answers that the project was made with; keep it true
# when you change the driver.
@{
    # The service and the filter{% if event_log %}, and the event source{% endif %}; with .sys and .inf, the files of the package.
    Driver = '{{crate_name}}'

    # Whether it attaches to a volume only where it is asked to.
    AttachByHand = {% if attach == "manual" %}$true{% else %}$false{% endif %}

    # fltmc unload, which is not mandatory. Where it fails, the codes that it may answer: 0x801F0010 is
    # STATUS_FLT_DO_NOT_DETACH as fltmc prints it. None are listed where the documentation names none.
{%- if policy_always %}
    FilterUnload = @{ Unloads = $true; Codes = @() }
{%- elsif policy_refuse %}
    FilterUnload = @{ Unloads = $false; Codes = @('0x801F0010') }
{%- else %}
    FilterUnload = @{ Unloads = $false; Codes = @() }
{%- endif %}

    # sc stop, which is mandatory. 1052 is ERROR_INVALID_SERVICE_CONTROL: the driver cannot be stopped.
{%- if policy_never or service_stop == false %}
    ServiceStop = @{ Unloads = $false; Codes = @('1052') }
{%- else %}
    ServiceStop = @{ Unloads = $true; Codes = @() }
{%- endif %}
}
