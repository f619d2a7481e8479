# @summary A bucket of S3, or of what speaks as S3 does.
type Profile::S3 = Struct[{
  endpoint         => Stdlib::HTTPUrl,
  Optional[region] => String[1],
  bucket           => String[3, 63],
  Optional[prefix] => String,
  access_key       => String[1],
}]
