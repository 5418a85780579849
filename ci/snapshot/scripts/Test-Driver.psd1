# What Test-Driver.ps1 expects of this driver. It follows from the answers that the project was made with; keep it true
# when you change the driver.
@{
    # The service and the filter, and the event source; with .sys and .inf, the files of the package.
    Driver = 'my_filter'

    # Whether it attaches to a volume only where it is asked to.
    AttachByHand = $false

    # fltmc unload, which is not mandatory. Where it fails, the codes that it may answer: 0x801F0010 is
    # STATUS_FLT_DO_NOT_DETACH as fltmc prints it. None are listed where the documentation names none.
    FilterUnload = @{ Unloads = $true; Codes = @() }

    # sc stop, which is mandatory. 1052 is ERROR_INVALID_SERVICE_CONTROL: the driver cannot be stopped.
    ServiceStop = @{ Unloads = $true; Codes = @() }
}
