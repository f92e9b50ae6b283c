# Imports a bucket with eight allocations. See docs/workers.md.
#
# Replace: the image, the bucket, and 8 in both places to have more or fewer shards. The variable
# nomad/jobs/cloudtrail2sql-import holds `database_url`, `access_key_id` and `secret_access_key`.
job "cloudtrail2sql-import" {
  type = "batch"

  group "import" {
    count = 8

    restart {
      attempts = 3
      mode     = "fail"
    }

    task "import" {
      driver = "docker"
      user   = "65532"

      config {
        image           = "registry.example.com/cloudtrail2sql:0.1.0"
        args            = ["import", "--shard", "auto/8", "--exit-zero-on-losses", "s3://acme-trail/"]
        readonly_rootfs = true
        cap_drop        = ["all"]
      }

      template {
        destination = "secrets/variables"
        env         = true
        data        = <<-END
          {{ with nomadVar "nomad/jobs/cloudtrail2sql-import" }}
          DATABASE_URL={{ .database_url | toJSON }}
          AWS_ACCESS_KEY_ID={{ .access_key_id | toJSON }}
          AWS_SECRET_ACCESS_KEY={{ .secret_access_key | toJSON }}
          {{ end }}
        END
      }

      resources {
        cpu    = 1000
        memory = 512
      }
    }
  }
}
