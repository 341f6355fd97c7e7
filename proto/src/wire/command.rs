//! Command codes and return codes.

use core::fmt;

/// Command field of a frame. Not an enum: devices may send codes that are not listed here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a plain number with names")]
pub struct CommandCode(pub u32);

macro_rules! commands {
    ($($(#[$doc:meta])* $konst:ident = $code:literal, $name:literal;)*) => {
        impl CommandCode {
            $($(#[$doc])* pub const $konst: Self = Self($code);)*

            /// Every named code with its name, in numeric order.
            pub const NAMED: &'static [(Self, &'static str)] = &[$((Self::$konst, $name)),*];
        }
    };
}

commands! {
    /// 3.1 announcement on UDP 6666, device to everybody.
    UDP = 0x00, "Udp";
    /// Wi-Fi setup.
    AP_CONFIG = 0x01, "ApConfig";
    /// Retired.
    ACTIVE = 0x02, "Active";
    /// Negotiation, first message, controller to device.
    SESS_KEY_NEG_START = 0x03, "SessKeyNegStart";
    /// Negotiation, second message, device to controller.
    SESS_KEY_NEG_RESP = 0x04, "SessKeyNegResp";
    /// Negotiation, third message, controller to device; never answered.
    SESS_KEY_NEG_FINISH = 0x05, "SessKeyNegFinish";
    /// Retired.
    UNBIND = 0x06, "Unbind";
    /// Set DPs, 3.1 to 3.3, and its acknowledgement.
    CONTROL = 0x07, "Control";
    /// State push, device to controller, every version.
    STATUS = 0x08, "Status";
    /// Keep-alive, both ways.
    HEART_BEAT = 0x09, "HeartBeat";
    /// Query, 3.1 to 3.3, and its reply.
    DP_QUERY = 0x0a, "DpQuery";
    /// Retired.
    QUERY_WIFI = 0x0b, "QueryWifi";
    /// Account binding.
    TOKEN_BIND = 0x0c, "TokenBind";
    /// Set DPs, 3.4 and 3.5, and its acknowledgement; the query of the device22 dialect.
    CONTROL_NEW = 0x0d, "ControlNew";
    /// Gateway: add a sub-device.
    ENABLE_WIFI = 0x0e, "EnableWifi";
    /// Wi-Fi setup.
    WIFI_INFO = 0x0f, "WifiInfo";
    /// Query, 3.4 and 3.5, and its reply.
    DP_QUERY_NEW = 0x10, "DpQueryNew";
    /// Scene execution.
    SCENE_EXECUTE = 0x11, "SceneExecute";
    /// Ask the device to measure DPs again.
    UPDATE_DPS = 0x12, "UpdateDps";
    /// Encrypted announcement, device to everybody.
    UDP_NEW = 0x13, "UdpNew";
    /// Wi-Fi setup.
    AP_CONFIG_NEW = 0x14, "ApConfigNew";
    /// Wi-Fi setup: the error (`WIFI_ERR_APP_TO_DEV`).
    WIFI_ERR = 0x15, "WifiErr";
    /// Setup by an app: query of the device's description (`FRM_AP_CFG_GET_DEV_INFO`).
    AP_CFG_GET_DEV_INFO = 0x16, "ApCfgGetDevInfo";
    /// Setup by an app: the list of DPs (`FRM_AP_CFG_SET_DEV_SCHEMA`).
    AP_CFG_SET_DEV_SCHEMA = 0x17, "ApCfgSetDevSchema";
    /// Setup by an app: the time (`FRM_AP_CFG_SET_TIME`).
    AP_CFG_SET_TIME = 0x18, "ApCfgSetTime";
    /// Setup by an app: the answer of the cloud (`FRM_AP_CFG_SET_ACTIVE_INFO`).
    AP_CFG_SET_ACTIVE_INFO = 0x19, "ApCfgSetActiveInfo";
    /// Firmware update over the LAN begins (`FRM_LAN_OTA_START`).
    LAN_OTA_START = 0x1a, "LanOtaStart";
    /// Firmware update over the LAN: one piece (`FRM_LAN_OTA_DATA`).
    LAN_OTA_DATA = 0x1b, "LanOtaData";
    /// Firmware update over the LAN ends (`FRM_LAN_OTA_FINISH`).
    LAN_OTA_FINISH = 0x1c, "LanOtaFinish";
    /// Resets the device (`FRM_LAN_RESET`).
    LAN_RESET = 0x1d, "LanReset";
    /// Setup by an app: extensions (`FRM_AP_CFG_EXT_CMD`).
    AP_CFG_EXT_CMD = 0x1e, "ApCfgExtCmd";
    /// Setup by an app: mobile network (`FRM_AP_CFG_4G`).
    AP_CFG_4G = 0x1f, "ApCfg4G";
    /// Cameras: signalling of a peer-to-peer stream (`FRM_LAN_P2P`).
    LAN_P2P = 0x20, "LanP2p";
    /// Announcement code reserved for 3.4.
    BOARDCAST_LPV34 = 0x23, "BoardcastLpv34";
    /// Region discovery (`FRM_TYPE_REG_CENTER`).
    REG_CENTER = 0x24, "RegCenter";
    /// Info request on UDP 7000, controller to everybody.
    REQ_DEVINFO = 0x25, "ReqDevinfo";
    /// Log upload (`FRM_LAN_UPD_LOG`).
    LAN_UPD_LOG = 0x30, "LanUpdLog";
    /// Extensions chosen by `reqType`, such as the sub-device list.
    LAN_EXT_STREAM = 0x40, "LanExtStream";
    /// Extensions before the device is bound to an account (`FRM_LAN_EXT_BEFORE_ACTIVATE`).
    LAN_EXT_BEFORE_ACTIVATE = 0x42, "LanExtBeforeActivate";
}

impl CommandCode {
    /// Returns the name of a listed code, such as `DpQuery`.
    pub fn name(self) -> Option<&'static str> {
        Self::NAMED.iter().find(|(code, _)| *code == self).map(|(_, name)| *name)
    }

    /// Returns the code with this name; upper and lower case are the same.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(_, n)| n.eq_ignore_ascii_case(name)).map(|(code, _)| *code)
    }

    /// Returns whether a sender puts the version header in front of this command's payload (3.2 and later).
    pub const fn carries_version_header(self) -> bool {
        !matches!(
            self,
            Self::SESS_KEY_NEG_START
                | Self::SESS_KEY_NEG_RESP
                | Self::SESS_KEY_NEG_FINISH
                | Self::HEART_BEAT
                | Self::DP_QUERY
                | Self::DP_QUERY_NEW
                | Self::UPDATE_DPS
                | Self::LAN_EXT_STREAM
        )
    }

    /// Returns whether this is one of the three negotiation messages.
    pub const fn is_negotiation(self) -> bool {
        matches!(self, Self::SESS_KEY_NEG_START | Self::SESS_KEY_NEG_RESP | Self::SESS_KEY_NEG_FINISH)
    }
}

impl fmt::Debug for CommandCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "CommandCode({:#04x})", self.0),
        }
    }
}

/// Return code of a device's frame: its four bytes, read as big-endian.
///
/// Compare it with zero only: 3.5 firmware acknowledges a *successful* control with 1 in its host's byte order, and
/// only a code together with a text is an error. [`number`](Self::number) and `Display` show that 1 as 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a plain number with a name")]
pub struct RetCode(pub u32);

impl RetCode {
    /// Success.
    pub const OK: Self = Self(0);
    /// Refusal, when a text comes with it.
    pub const REFUSED: Self = Self(1);

    /// Returns whether the code is zero.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// Returns the number that the device means: firmware writes it in either byte order, and means the smaller one.
    ///
    /// ```
    /// # use rustuya_proto::RetCode;
    /// assert_eq!((RetCode(1).number(), RetCode(0x0100_0000).number()), (1, 1));
    /// ```
    pub const fn number(self) -> u32 {
        let swapped = self.0.swap_bytes();
        if swapped < self.0 { swapped } else { self.0 }
    }
}

impl fmt::Display for RetCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.number(), f)
    }
}
