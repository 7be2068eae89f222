//! Settings that narrow what access control lists and policies may do.

/// Whose the objects of a bucket are (Amazon S3 user guide, "Controlling ownership of objects").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ownership {
    /// The writer's. What a bucket has that was given nothing else.
    #[default]
    ObjectWriter,
    /// The bucket owner's, if the writer grants it full control.
    BucketOwnerPreferred,
    /// The bucket owner's, always; access control lists mean nothing.
    BucketOwnerEnforced,
}

impl Ownership {
    const NAMES: [(&'static str, Self); 3] = [
        ("ObjectWriter", Self::ObjectWriter),
        ("BucketOwnerPreferred", Self::BucketOwnerPreferred),
        ("BucketOwnerEnforced", Self::BucketOwnerEnforced),
    ];

    /// The setting of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, ownership)| ownership)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}

/// What keeps a bucket from being public by mistake (user guide, "Blocking public access").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four settings that S3 has")]
pub struct PublicAccessBlock {
    /// Public lists cannot be set.
    pub block_public_acls: bool,
    /// Public grants mean nothing.
    pub ignore_public_acls: bool,
    /// A public policy cannot be set.
    pub block_public_policy: bool,
    /// A public policy lets in the owner's account alone.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// The settings as text: the names of those that are on.
    pub fn to_text(self) -> String {
        let on = self.fields().into_iter().filter(|(_, on)| *on).map(|(name, _)| name);
        on.collect::<Vec<_>>().join("\n")
    }

    /// Reads them back; `None` for what is none.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut block = Self::default();
        for name in text.lines() {
            match name {
                "BlockPublicAcls" => block.block_public_acls = true,
                "IgnorePublicAcls" => block.ignore_public_acls = true,
                "BlockPublicPolicy" => block.block_public_policy = true,
                "RestrictPublicBuckets" => block.restrict_public_buckets = true,
                _ => return None,
            }
        }
        Some(block)
    }

    fn fields(self) -> [(&'static str, bool); 4] {
        [
            ("BlockPublicAcls", self.block_public_acls),
            ("IgnorePublicAcls", self.ignore_public_acls),
            ("BlockPublicPolicy", self.block_public_policy),
            ("RestrictPublicBuckets", self.restrict_public_buckets),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_they_are_written() {
        for bits in 0..16_u8 {
            let on = |bit: u8| bits & (1 << bit) != 0;
            let block = PublicAccessBlock {
                block_public_acls: on(0),
                ignore_public_acls: on(1),
                block_public_policy: on(2),
                restrict_public_buckets: on(3),
            };
            assert_eq!(PublicAccessBlock::from_text(&block.to_text()), Some(block));
        }
        assert_eq!(PublicAccessBlock::from_text("Everything"), None);
        for (name, ownership) in Ownership::NAMES {
            assert_eq!((Ownership::named(name), ownership.name()), (Some(ownership), name));
        }
    }
}
