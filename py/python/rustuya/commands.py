"""Numbers of the protocol's commands."""

from enum import IntEnum

__all__ = ["CommandType"]


class CommandType(IntEnum):
    """The command field of a frame. Devices may send other numbers."""

    Udp = 0x00
    ApConfig = 0x01
    Active = 0x02
    SessKeyNegStart = 0x03
    SessKeyNegResp = 0x04
    SessKeyNegFinish = 0x05
    Unbind = 0x06
    Control = 0x07
    Status = 0x08
    HeartBeat = 0x09
    DpQuery = 0x0A
    QueryWifi = 0x0B
    TokenBind = 0x0C
    ControlNew = 0x0D
    EnableWifi = 0x0E
    WifiInfo = 0x0F
    DpQueryNew = 0x10
    SceneExecute = 0x11
    UpdateDps = 0x12
    UdpNew = 0x13
    ApConfigNew = 0x14
    WifiErr = 0x15
    ApCfgGetDevInfo = 0x16
    ApCfgSetDevSchema = 0x17
    ApCfgSetTime = 0x18
    ApCfgSetActiveInfo = 0x19
    LanOtaStart = 0x1A
    LanOtaData = 0x1B
    LanOtaFinish = 0x1C
    LanReset = 0x1D
    ApCfgExtCmd = 0x1E
    ApCfg4G = 0x1F
    LanP2p = 0x20
    BoardcastLpv34 = 0x23
    RegCenter = 0x24
    ReqDevinfo = 0x25
    LanUpdLog = 0x30
    LanExtStream = 0x40
    LanExtBeforeActivate = 0x42
