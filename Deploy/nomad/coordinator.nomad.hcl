# Three nodes beside a Redis Cluster that is there already.
#
#     nomad var put -in=json nomad/jobs/coordinator - < variable.json    {"Items":{"redis_password":"…"}}
#     nomad job run -var image=registry.example.org/audience/coordinator:0.1.0 coordinator.nomad.hcl
#     nomad alloc exec -job coordinator coordinator init        settings are for ever

variable "image" {
  type        = string
  description = "the image of Deploy/Dockerfile"
}

variable "datacenters" {
  type    = list(string)
  default = ["*"]
}

variable "redis_url" {
  type    = string
  default = "redis://redis-cluster.service.consul:6379"
}

job "coordinator" {
  type        = "service"
  datacenters = var.datacenters

  # Hosts apart, as far as there are enough.
  spread {
    attribute = "${node.unique.id}"
  }

  # One after another, and the new one takes part before the next old one hands over.
  update {
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "5s"
    healthy_deadline  = "2m"
    progress_deadline = "5m"
    auto_revert       = true
  }

  group "node" {
    count = 3

    network {
      port "http" {
        to = 8080
      }
    }

    service {
      name     = "coordinator"
      port     = "http"
      provider = "nomad"

      # Takes part: gates a rollout, restarts nothing.
      check {
        name     = "ready"
        type     = "http"
        path     = "/readyz"
        interval = "2s"
        timeout  = "2s"
      }

      # Its loop turns: a node that hangs is started again.
      check {
        name     = "live"
        type     = "http"
        path     = "/livez"
        interval = "10s"
        timeout  = "5s"

        check_restart {
          limit = 3
          grace = "30s"
        }
      }
    }

    restart {
      attempts = 10
      interval = "1m"
      delay    = "1s"
      mode     = "delay"
    }

    task "coordinator" {
      driver = "docker"
      # Longer than COORDINATOR_DRAIN_TIMEOUT: shards are handed over first.
      kill_signal  = "SIGTERM"
      kill_timeout = "30s"

      config {
        image           = var.image
        args            = ["run"]
        ports           = ["http"]
        readonly_rootfs = true
        cap_drop        = ["all"]
        security_opt    = ["no-new-privileges"]
      }

      env {
        COORDINATOR_REDIS_URL           = var.redis_url
        COORDINATOR_REDIS_USER          = "coordinator"
        COORDINATOR_REDIS_PASSWORD_FILE = "${NOMAD_SECRETS_DIR}/redis-password"
        COORDINATOR_HTTP                = "0.0.0.0:8080"
        COORDINATOR_NODE_NAME           = "coordinator-${NOMAD_ALLOC_INDEX}-${NOMAD_SHORT_ALLOC_ID}"
        COORDINATOR_DRAIN_TIMEOUT       = "20s"
        COORDINATOR_LOG_FORMAT          = "json"
      }

      # A new password is read with the next connection: nothing is restarted for it.
      template {
        destination = "${NOMAD_SECRETS_DIR}/redis-password"
        change_mode = "noop"
        uid         = 10001
        gid         = 10001
        perms       = "0400"
        data        = <<-EOT
          {{ with nomadVar "nomad/jobs/coordinator" }}{{ .redis_password }}{{ end }}
        EOT
      }

      resources {
        cpu        = 200
        # memory_max holds only where the scheduler's memory oversubscription is on.
        memory     = 256
        memory_max = 512
      }
    }
  }
}
