"""Every setting, read from the environment; nonsense refuses to start.

The variables an operator may set are described once, in ``SETTINGS`` of
``smartoken/environment.py``; this module only turns them into Django's names.
"""

from celery.schedules import crontab
from django.templatetags.static import static

from smartoken.environment import (
    BASE_DIR,
    DATA_DIR,
    database_config,
    env,
    mailer_config,
    public_url,
    read_secret,
    text_place,
)

EMBEDDED = not env("DATABASE_URL")
"""True when the state lies in DATA_DIR's SQLite file and nothing else is configured."""

DEBUG = env("DEBUG")
SECRET_KEY = env("SECRET_KEY") or read_secret("secret-key")

# --- the one public address ------------------------------------------------
PUBLIC_URL = public_url()
SMARTOKEN_URL = PUBLIC_URL.geturl()
SECURE = PUBLIC_URL.scheme == "https"
ALLOWED_HOSTS = [PUBLIC_URL.hostname] + (["127.0.0.1", "localhost", "[::1]"] if not SECURE else [])
CSRF_TRUSTED_ORIGINS = [SMARTOKEN_URL]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_SSL_REDIRECT = SECURE
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
TRUSTED_PROXIES = env("TRUSTED_PROXIES")

# --- applications ----------------------------------------------------------
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "smartoken.apps.SmartokenConfig",
    "accounts.apps.AccountsConfig",
    "billing.apps.BillingConfig",
    "routing.apps.RoutingConfig",
    "playground.apps.PlaygroundConfig",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "smartoken.apps.SmartokenAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.sitemaps",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "smartoken.staticfiles.StaticFilesMiddleware",
    "smartoken.compression.CompressionMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "smartoken.addresses.AddressMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "accounts.middleware.OrganizationMiddleware",
]
ROOT_URLCONF = "smartoken.urls"
ASGI_APPLICATION = "smartoken.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "smartoken.context.site",
            ],
            "builtins": [
                "smartoken.templatetags.money",
                "smartoken.templatetags.page",
                "smartoken.templatetags.icons",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"  # finds templates/django/forms/ first

# --- data ------------------------------------------------------------------
DATABASES = {"default": database_config()}
# SQLite leaves the columns out that an index only carries along.
SILENCED_SYSTEM_CHECKS = ["models.W040"]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env("REDIS_URL")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

PLAYGROUND_DAYS = env("PLAYGROUND_DAYS")
USAGE_DAYS = env("USAGE_DAYS")

# --- people ----------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = PUBLIC_URL.scheme
ACCOUNT_EMAIL_SUBJECT_PREFIX = "SmarToken: "
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ADAPTER = "accounts.passkeys.MFAAdapter"
MFA_FORMS = {
    "authenticate": "accounts.passkeys.CodeForm",
    "authenticate_webauthn": "accounts.passkeys.PasskeyFactorForm",
    "add_webauthn": "accounts.passkeys.PasskeyForm",
    "edit_webauthn": "accounts.passkeys.PasskeyNameForm",
    "login_webauthn": "accounts.passkeys.PasskeyLoginForm",
    "reauthenticate_webauthn": "accounts.passkeys.PasskeyAgainForm",
}
ACCOUNT_FORMS = {
    "login": "accounts.password_forms.SignInForm",
    "signup": "accounts.password_forms.AccountForm",
    "reset_password_from_key": "accounts.password_forms.NewPasswordForm",
    "change_password": "accounts.password_forms.OtherPasswordForm",
}
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "dashboard"
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ADMIN_SECOND_FACTOR = env("SMARTOKEN_ADMIN_SECOND_FACTOR")
if ADMIN_SECOND_FACTOR is None:
    ADMIN_SECOND_FACTOR = not EMBEDDED
SIGNUP = env("SIGNUP")
SIGNUP_DOMAINS = [domain.lower() for domain in env("SIGNUP_DOMAINS")]
SIGNUP_CREDIT_USD = env("SIGNUP_CREDIT_USD") or ("1" if EMBEDDED else "0")

# --- mail ------------------------------------------------------------------
MAIL_CONFIGURED = bool(env("EMAIL_URL"))
ACCOUNT_EMAIL_NOTIFICATIONS = MAIL_CONFIGURED
MAILERS = {"default": mailer_config()}
ALARM_WEBHOOK_URL = env("ALARM_WEBHOOK_URL")
ALARM_EMAILS = [address.strip() for address in env("ALARM_EMAILS")]
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env("MAIL_FROM") or f"SmarToken <no-reply@{PUBLIC_URL.hostname}>"

# --- pages -----------------------------------------------------------------
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "smartoken.joined.JoinedFinder",
]
JOINED_DIR = DATA_DIR / "joined"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG
SECURE_CSP = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}

# --- payments --------------------------------------------------------------
OPERATOR = env("SMARTOKEN_OPERATOR")
TERMS, SUPPORT = text_place("SMARTOKEN_TERMS"), text_place("SMARTOKEN_SUPPORT")
STRIPE_SECRET_KEY = env("STRIPE_SECRET_KEY")
STRIPE_WEBHOOK_SECRET = env("STRIPE_WEBHOOK_SECRET")
STRIPE_API_BASE = env("STRIPE_API_BASE")

# --- background work -------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL or "folder://localhost"
CELERY_BROKER_TRANSPORT_OPTIONS = {} if REDIS_URL else {"folder": str(DATA_DIR / "celery"), "polling_interval": 0.1}
CELERY_WORKER_ENABLE_REMOTE_CONTROL = bool(REDIS_URL)  # has no use for files
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celery-beat")
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "billing.tasks.sweep_holds", "schedule": 30.0},
    "check-ledger": {"task": "billing.tasks.check_ledger", "schedule": crontab(minute=17)},
    "prove-books": {"task": "billing.tasks.prove_books", "schedule": crontab(hour=3, minute=47)},
    "reset-budgets": {"task": "billing.tasks.reset_budgets", "schedule": 60.0},
    "raise-alerts": {"task": "billing.tasks.raise_alerts", "schedule": 60.0},
    "send-mails": {"task": "billing.tasks.send_mails", "schedule": 60.0},
    "roll-up": {"task": "billing.tasks.roll_up", "schedule": 60.0},
    "reconcile-charges": {"task": "billing.tasks.reconcile_charges", "schedule": crontab(hour=4, minute=23)},
    "forget-history": {"task": "playground.tasks.forget_history", "schedule": crontab(minute=41)},
    "forget-sessions": {"task": "accounts.tasks.forget_sessions", "schedule": crontab(minute=53)},
    "forget-old": {"task": "billing.tasks.forget_old", "schedule": crontab(minute=37)},
    "forget-probes": {"task": "routing.tasks.forget_hours", "schedule": crontab(minute=39)},
    "read-balances": {"task": "routing.tasks.read_balances", "schedule": 900.0, "options": {"expires": 600}},
    "probe-upstreams": {"task": "routing.tasks.probe_upstreams", "schedule": 300.0, "options": {"expires": 200}},
}

# --- the gateway -----------------------------------------------------------
DEMO = env("SMARTOKEN_DEMO") if env("SMARTOKEN_DEMO") is not None else EMBEDDED
ALLOW_PRIVATE_UPSTREAMS = env("SMARTOKEN_ALLOW_PRIVATE_UPSTREAMS")
CREDENTIAL_KEYS = env("SMARTOKEN_CREDENTIAL_KEYS") or [read_secret("credential-key", kind="fernet")]
DRAIN_SECONDS = env("SMARTOKEN_DRAIN_SECONDS")
OPEN_REQUESTS = env("SMARTOKEN_OPEN_REQUESTS")
BODY_LIMIT_BYTES = env("SMARTOKEN_BODY_LIMIT_MB") * 1024 * 1024
BODIES_IN_FLIGHT_BYTES = env("SMARTOKEN_BODIES_IN_FLIGHT_MB") * 1024 * 1024
BODY_SECONDS = env("SMARTOKEN_BODY_SECONDS")
CONNECT_SECONDS = env("SMARTOKEN_CONNECT_SECONDS")
FIRST_BYTE_SECONDS = env("SMARTOKEN_FIRST_BYTE_SECONDS")
FIRST_BYTE_THINKING_SECONDS = env("SMARTOKEN_FIRST_BYTE_THINKING_SECONDS")
IDLE_SECONDS = env("SMARTOKEN_IDLE_SECONDS")
ANSWER_SECONDS = env("SMARTOKEN_ANSWER_SECONDS")
CLIENT_STALL_SECONDS = env("SMARTOKEN_CLIENT_STALL_SECONDS")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.ManagementKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["accounts.authentication.BoundedJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.authentication.PerAddress"],
    "EXCEPTION_HANDLER": "accounts.api.explain",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "SmarToken management API",
    "DESCRIPTION": "API keys, usage and the wallet of one organization, for programs with a management key.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
}
UNFOLD = {
    "SITE_TITLE": "SmarToken",
    "SITE_HEADER": "SmarToken admin",
    "SITE_URL": "/",
    "STYLES": [lambda request: static("css/admin.css")],
    "SITE_ICON": lambda request: static("img/favicon.svg"),
    "BORDER_RADIUS": "8px",
    # The site's vermilion and warm greys (static/css/tokens.css), in unfold's steps.
    "COLORS": {
        "base": {
            "50": "#fbfaf8",
            "100": "#f3f1ed",
            "200": "#e4e1da",
            "300": "#d2cec5",
            "400": "#a3a7ae",
            "500": "#6b7078",
            "600": "#5b6068",
            "700": "#3a3f46",
            "800": "#2a2e34",
            "900": "#181b1f",
            "950": "#111316",
        },
        "primary": {
            "50": "#fdf4f1",
            "100": "#fbe9e4",
            "200": "#f6cfc4",
            "300": "#f0a894",
            "400": "#ff7a59",
            "500": "#d9472a",
            "600": "#c0341a",
            "700": "#a32a13",
            "800": "#7e2413",
            "900": "#5a1d11",
            "950": "#2b1a16",
        },
    },
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/favicon.svg")},
    ],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "smartoken.logs.JSONFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": env("LOG_LEVEL")},
    "loggers": {
        "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        # Its lines are below that level, but uvicorn makes them all the same where any handler could get them.
        "uvicorn.access": {"propagate": False},
        "celery": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        "stripe": {"level": "WARNING"},  # below it, whole messages
    },
}
