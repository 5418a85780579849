/* The entry in the event log of a start that fails. */
static void Log(PDRIVER_OBJECT Driver, NTSTATUS Status)
{
    PIO_ERROR_LOG_PACKET Packet = IoAllocateErrorLogEntry(Driver, sizeof(IO_ERROR_LOG_PACKET));

    if (Packet == NULL) {
        return;
    }
    RtlZeroMemory(Packet, sizeof(IO_ERROR_LOG_PACKET));
    Packet->ErrorCode = (NTSTATUS)0xC0040004; /* IO_ERR_DRIVER_ERROR */
    Packet->UniqueErrorValue = 1;
    Packet->FinalStatus = Status;
    IoWriteErrorLogEntry(Packet);
}
